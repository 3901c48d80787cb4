"""Input that nobody should send: to the API, to parsers, into the storage, and below HTTP."""
