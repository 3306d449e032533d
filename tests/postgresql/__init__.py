"""A variant of the service's database backend that can empty the append-only log after tests."""
