"""What goes in and out, as models: they check what comes in, and document both."""
