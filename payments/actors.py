"""Actor ids. Events hold ids instead of names, because names change and events cannot."""

import getpass
import os
from typing import Final
from uuid import UUID

_STAFF: Final = "staff:"
_OPERATOR: Final = "system:manage.py:"


def client(client_id: UUID) -> str:
    return f"client:{client_id}"


def staff(user_pk: int) -> str:
    return f"{_STAFF}{user_pk}"


def staff_pk(actor: str) -> int | None:
    own = actor.removeprefix(_STAFF)
    return int(own) if own != actor and own.isascii() and own.isdigit() else None


def system(process: str) -> str:
    return f"system:{process}"


def operator() -> str:
    """Return the actor id for the user who runs `./manage.py`.

    It contains the user name, or the numeric user id if there is no name.
    """
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid-{os.getuid()}"
    return f"{_OPERATOR}{name}"


def is_operator(actor: str) -> bool:
    return actor.startswith(_OPERATOR)
