"""What a customer's name, e-mail address and telephone number may be."""

import re
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from payments.domain.text import TextError, checked_text, searched

LENGTHS: Final = {"name": 200, "email": 254, "phone": 20}

# The separators that people write, and ITU-T E.164: a plus, the country's code, fifteen digits at most.
_SEPARATORS: Final = re.compile(r"\(0\)|[ ()./\-\u2010-\u2015\u2212]")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")


class ContactError(ValueError):
    """One that is not stored; `field` is its name, the message does not repeat it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def checked(field: str, value: str) -> str:
    """Return what is stored of `value`; an empty one means that there is none. Raises ContactError."""
    value = value.strip()
    if not value:
        return ""
    try:
        if field == "phone":
            return _phone(value)
        value = checked_text(value, max_length=LENGTHS[field])
        if field == "email":
            validate_email(value)
    except TextError as error:
        raise ContactError(field, str(error)) from error
    except ValidationError:
        raise ContactError(field, "This is no e-mail address.") from None
    return value


def _phone(value: str) -> str:
    """Return the number as E.164 has it, so that one number is always written alike."""
    number = _SEPARATORS.sub("", searched(value))
    if _PHONE.fullmatch(number) is None:
        raise ContactError(
            "phone", "Write the number with its country's code, like +49 151 23456789."
        )
    return checked_text(number, max_length=LENGTHS["phone"])
