"""Staff accounts: their roles, and the record of every change."""
