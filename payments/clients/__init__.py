"""API clients and their keys. The admin classes are in readmodels/admin/people/."""
