"""Who may do what: keys and their roles, the table of what each endpoint needs, and the guard that applies it."""
