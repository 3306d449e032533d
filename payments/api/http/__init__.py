"""HTTP as the API uses it: headers and addresses."""
