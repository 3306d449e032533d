"""The baseline of the API: a textbook application of Django REST framework."""
