"""HTTP between the web server and Django: bodies, threads and the WSGI environment."""
