"""Django's PostgreSQL backend, with connections that do not depend on the defaults of the database."""
