"""Django's PostgreSQL backend, for tests that commit: it can empty the append-only log afterwards."""
