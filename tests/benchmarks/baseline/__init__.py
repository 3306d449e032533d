"""The baseline for the API: a textbook application of Django REST framework."""
