"""Tests of what people and programs reach it through: the interface, the programs, the examples."""
