"""The messages of connection errors, in one line."""


def one_line(error: Exception) -> str:
    """Return libpq's message with host, port and cause, without its hints, which are indented."""
    lines = str(error).strip().splitlines()
    return " ".join(line for line in lines if line and not line.startswith("\t"))
