"""Filters report invalid values, and no query parameter causes a server error."""

import re
from typing import Any, Final
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser
from django.urls import reverse

from tests.support.backoffice import text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PAYMENTS = "admin:readmodels_paymentsummary_changelist"
STATISTICS = "admin:readmodels_dailystatistics_changelist"
EVENTS = "admin:readmodels_eventindex_changelist"
CUSTOMERS = "admin:customers_customer_changelist"
LISTS = (
    PAYMENTS,
    STATISTICS,
    EVENTS,
    CUSTOMERS,
    "review_queue",
    "admin:clients_client_changelist",
    "admin:readmodels_checkpoint_changelist",
    "admin:readmodels_parkedevent_changelist",
    "admin:readmodels_discardedevent_changelist",
    "admin:axes_accesslog_changelist",
    "admin:axes_accessfailurelog_changelist",
    "admin:auth_user_changelist",
    "admin:identity_securityrecord_changelist",
    "admin:staff_staffchange_changelist",
    "admin:webhooks_endpoint_changelist",
    "admin:webhooks_attempt_changelist",
    "admin:webhooks_heldpayment_changelist",
)


@pytest.fixture
def root() -> Browser:
    logged_in = Browser()
    logged_in.force_login(get_user_model().objects.create_superuser("root"))
    return logged_in


def rows(answer: Any) -> int:
    return len(answer.context["cl"].result_list)


@pytest.mark.parametrize(
    ("name", "query", "complaint"),
    [
        (PAYMENTS, "initiated_at_from=5/6/2026", "is an ambiguous date"),
        (PAYMENTS, "initiated_at_from=yesterday", "is not a date. Write it like 2026-11-29."),
        (PAYMENTS, "initiated_at_to=2026-02-30", "There is no day 2026-02-30."),
        (PAYMENTS, "initiated_at_from=29.11.2026&initiated_at_to=28.11.2026", "ends before"),
        (PAYMENTS, "currency=nonsense", "“nonsense” is not a currency code."),
        (PAYMENTS, "status__exact=nonsense", "This is not one of the choices."),
        (PAYMENTS, "status__exact=%00", "This is not one of the choices."),
        (PAYMENTS, "status__exact=completed&status__exact=%00", "This is not one of the choices."),
        (PAYMENTS, "method__exact=%00", "This is not one of the choices."),
        (PAYMENTS, "risk_band__exact=%00", "This is not one of the choices."),
        (PAYMENTS, "requires_review__exact=perhaps", "This is not one of the choices."),
        ("review_queue", "risk_band__exact=%00", "This is not one of the choices."),
        ("review_queue", "standing=%00", "This is not one of the choices."),
        ("review_queue", "four_eyes__exact=2", "This is not one of the choices."),
        (STATISTICS, "day_from=05/06/2026", "is an ambiguous date"),
        (STATISTICS, "client=nobody", "This is not one of the choices."),
        (CUSTOMERS, "blocked__exact=x", "This is not one of the choices."),
        (EVENTS, "recorded_at_from_0=05/06/2026", "is an ambiguous date"),
        (EVENTS, "recorded_at_from_0=2026-11-29&recorded_at_from_1=9", "“9” is not a time."),
        (EVENTS, "recorded_at_to_1=09:30", "A time needs a date."),
        (EVENTS, "event_type=nonsense", "This is not one of the choices."),
        (EVENTS, "payment=nonsense", "“nonsense” is not a payment id."),
        (EVENTS, "correlation_id=%01", "Enter text to search for."),
        (EVENTS, "actor=%00", "Enter text to search for."),
    ],
)
def test_invalid_filter_value_is_reported_and_finds_nothing(
    root: Browser, flagged: str, name: str, query: str, complaint: str
) -> None:
    assert rows(root.get(reverse(name))) > 0
    answer = root.get(f"{reverse(name)}?{query}")
    assert rows(answer) == 0
    # The complaint is shown above the list and at the field.
    assert text(answer).count(complaint) == 2


@pytest.mark.parametrize(
    ("name", "query", "found"),
    [
        (PAYMENTS, "initiated_at_from=29.11.2020", 1),
        (PAYMENTS, "initiated_at_from=11/29/2020", 1),
        (PAYMENTS, "initiated_at_to=29 Nov 2020", 0),
        (STATISTICS, "day_from=29.11.2020", 1),
        (STATISTICS, "day_to=29/11/2020", 0),
        (EVENTS, "recorded_at_from_0=29.11.2020&recorded_at_from_1=9:30 pm", 2),
        (EVENTS, "recorded_at_to_0=29.11.2020", 0),
        (PAYMENTS, "currency= usd ", 1),
        (PAYMENTS, "requires_review__exact=1&status__exact=pending_review", 1),
        (PAYMENTS, "initiated_at_from=&status__exact=&requires_review__exact=&currency=", 1),
    ],
)
def test_common_date_formats_filter_the_list(
    root: Browser, flagged: str, name: str, query: str, found: int
) -> None:
    answer = root.get(f"{reverse(name)}?{query}")
    assert rows(answer) == found
    assert "Filter by" not in text(answer)


# Values that databases or drivers refuse, or that are too long or too large.
STRANGE = [
    "%00",
    "a%00b",
    "%ED%A0%80",  # a lone surrogate
    "%FF%FE",  # invalid UTF-8
    "%F0%9F%92%A9",
    "9" * 400,
    "-" + "9" * 30,
    "9223372036854775808",
    "1e309",
    "x" * 3_000,
    quote("' OR 1=1 --"),
    quote("[]"),
    "0001-01-01",
    "9999-12-31T23:59:59+14:00",
    quote("0001-01-01T00:00:00-14:00~1"),
    quote("9999-12-31T23:59:59-14:00~9223372036854775808"),
    quote("{'a': 1}"),
    "",
]


# Every run tests the list with the most parameters. CI tests all lists.
STRANGE_LISTS: Final = [
    name if name == PAYMENTS else pytest.param(name, marks=pytest.mark.nightly) for name in LISTS
]


@pytest.mark.parametrize("name", STRANGE_LISTS)
def test_no_query_parameter_causes_a_server_error(root: Browser, flagged: str, name: str) -> None:
    root.raise_request_exception = False
    page = root.get(reverse(name)).content.decode()
    named = set(re.findall(r'name="([\w]+)"', page)) - {"csrfmiddlewaretoken", "next", "viewport"}
    named |= {
        "q",
        "p",
        "o",
        "e",
        "after",
        "before",
        "version",
        "_popup",
        "_to_field",
        "_facets",
        "all",
    }
    queries = [f"{each}={value}" for each in named for value in STRANGE[:1]]
    queries += [f"{each}=%00&{each}=1" for each in named]
    # All parameters at once, then the search and the page boundaries alone.
    queries += ["&".join(f"{each}={value}" for each in named) for value in STRANGE]
    queries += [f"{each}={value}" for each in ("q", "after", "before") for value in STRANGE]

    failures = [
        query for query in queries if root.get(f"{reverse(name)}?{query}").status_code >= 500
    ]

    assert failures == []


@pytest.mark.parametrize("name", STRANGE_LISTS)
def test_no_row_address_causes_a_server_error(root: Browser, flagged: str, name: str) -> None:
    root.raise_request_exception = False
    for value in STRANGE:
        for page in ("change/", "delete/"):
            status = root.get(f"{reverse(name)}{value}/{page}").status_code
            assert status < 500, (value, page)
