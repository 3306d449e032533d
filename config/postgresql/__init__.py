"""Django's PostgreSQL backend, on connections that do not depend on the database's own defaults."""
