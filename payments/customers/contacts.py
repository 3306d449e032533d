"""Check and normalize a customer's name, e-mail address and telephone number."""

from typing import Final

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from payments.domain.text import TextError, checked_text, searched

LENGTHS: Final = {"name": 200, "email": 254, "phone": 20}
_LONGEST: Final = 16  # characters of E.164: a plus and 15 digits


class ContactError(ValueError):
    """The value of `field` is refused. The message does not repeat the value."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def checked(field: str, value: str) -> str:
    """Return `value` as it is stored; "" stays "". Raises ContactError."""
    value = value.strip()
    if not value:
        return ""
    try:
        if field == "phone":
            return checked_text(_e164(value), max_length=LENGTHS["phone"])
        value = checked_text(value, max_length=LENGTHS[field])
        if field == "email":
            validate_email(value)
    except TextError as error:
        raise ContactError(field, str(error)) from error
    except NumberParseException:
        raise ContactError(
            "phone",
            "Enter a telephone number with its country code, like +49 151 23456789."
            " Leave out extensions and letters.",
        ) from None
    except ValidationError:
        raise ContactError(field, "Enter a valid e-mail address, like ada@example.com.") from None
    return value


def _e164(value: str) -> str:
    """Return the number in E.164, so that equal numbers are equal texts.

    Raises NumberParseException.
    """
    value = searched(value)
    number = phonenumbers.parse(value)
    # `parse` turns letters into digits, and E.164 has no place for an extension.
    complete = not number.extension and not any(map(str.isalpha, value))
    length = phonenumbers.is_possible_number_with_reason(number)
    formatted = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if not complete or length != ValidationResult.IS_POSSIBLE or len(formatted) > _LONGEST:
        raise NumberParseException(NumberParseException.NOT_A_NUMBER, "not a complete number")
    return formatted
