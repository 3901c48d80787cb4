"""Bridges to other frameworks. Each module needs the framework that it is named after only where it says so."""
