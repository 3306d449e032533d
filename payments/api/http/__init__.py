"""The HTTP side of the API: headers, addresses, authentication and throttling."""
