"""The rules of money in pure Python: no Django, no database, no clock."""
