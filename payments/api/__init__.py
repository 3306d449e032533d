"""The commands of the HTTP API, and the parts that its read endpoints share."""
