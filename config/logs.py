"""Logs on the standard error: JSON for machines, columns for people."""

from http import HTTPStatus
from typing import Any, Final

import structlog

from config.http import redaction

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_SHARED: Final[list[Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    redaction.card_numbers,
]


def configured(*, for_people: bool, level: str, requests: str, celery: str) -> dict[str, Any]:
    """Configure structlog, and return Django's LOGGING with the given log levels."""
    structlog.configure(
        processors=[
            # First, so that filtered records are neither formatted nor searched for card numbers.
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if for_people else structlog.processors.JSONRenderer()
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": renderer,
                "foreign_pre_chain": _SHARED,
            }
        },
        "filters": {
            # A 503 is already logged twice: as an outage, and in the line of the request.
            "unforeseen": {
                "()": "django.utils.log.CallbackFilter",
                "callback": lambda record: (
                    getattr(record, "status_code", None) != HTTPStatus.SERVICE_UNAVAILABLE
                ),
            },
            "one_line": {"()": "config.broker.OneLine"},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "structured",
                "filters": ["one_line"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Without Django's own handler, which writes plain lines when DEBUG is set.
            "django": {"level": "INFO"},
            # Its warnings repeat the line that django-structlog writes with the request's id.
            "django.request": {"level": "ERROR", "filters": ["unforeseen"]},
            "django_structlog": {"level": requests},
            "celery": {"level": celery},
            # axes logs several lines for each sign-in. Failures and lockouts are warnings.
            "axes": {"level": "WARNING"},
        },
    }
