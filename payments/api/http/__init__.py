"""HTTP as the API uses it: what headers say and how they are read."""
