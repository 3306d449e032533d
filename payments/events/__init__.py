"""The event log: an append-only table of events of any aggregate. See README.md."""
