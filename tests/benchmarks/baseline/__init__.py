"""What the API is measured against: the Django REST framework of the textbook, on the same server."""
