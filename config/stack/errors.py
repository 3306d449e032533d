"""The error that the stack reports to the user."""


class StackError(Exception):
    """The stack cannot start or go on. The message is one line that names the remedy."""
