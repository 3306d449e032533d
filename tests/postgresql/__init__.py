"""The service's database backend for tests that commit. It can empty the append-only log."""
