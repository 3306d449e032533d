"""What the person who starts the stack can put right."""


class StackError(Exception):
    """The stack cannot start; the message is one line that says what to do."""
