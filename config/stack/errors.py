"""The error that the stack reports to the user."""


class StackError(Exception):
    """The stack cannot start or continue. The message is one line that names the remedy."""
