"""Who does things, as the log knows them: ids, so that no name is ever immutable."""

from uuid import UUID


def client(client_id: UUID) -> str:
    return f"client:{client_id}"


def staff(user_pk: int) -> str:
    return f"staff:{user_pk}"


def system(process: str) -> str:
    return f"system:{process}"
