"""The events of a client's payments as the client may see them: for the feed and for webhooks."""
