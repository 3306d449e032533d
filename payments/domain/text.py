"""What free text may hold: characters that people can read, never a card number."""

from payments.domain.card_numbers import holds_card_number


class TextError(ValueError):
    """Text that is not stored.

    `code` is stable, the message is for people and never repeats the text.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def checked_text(value: str, *, max_length: int, multiline: bool = False) -> str:
    """Return `value` if it may be stored. Raises TextError."""
    if len(value) > max_length:
        raise TextError("text_too_long", f"The text must have at most {max_length} characters.")
    if not value.strip():
        raise TextError("text_empty", "The text must not be empty.")
    # isprintable() is false for control characters, NUL and lone surrogates, which jsonb refuses.
    readable = value.translate({10: " ", 13: " ", 9: " "}) if multiline else value
    if not readable.isprintable():
        raise TextError("text_not_printable", "The text holds a character that cannot be printed.")
    if holds_card_number(readable):
        raise TextError(
            "card_number_refused",
            "The text looks as if it held a card number. Send a token instead.",
        )
    return value
