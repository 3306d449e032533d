"""The log: an append-only table of events, and the only code that reads and writes it."""
