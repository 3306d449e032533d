"""The rules of payments in pure Python: no Django, no database, no clock. See README.md."""
