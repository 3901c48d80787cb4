"""The pages, a module each: what it shows, and what can be done there."""
