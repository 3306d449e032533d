"""How staff sign in: second factors, sessions, passwords, resets and their records."""
