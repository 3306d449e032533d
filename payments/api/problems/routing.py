"""The problem codes of snoozes and assignments, a part of the catalogue."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from payments.api.problems.kind import Kind, Repeat

ROUTING: Final[Mapping[str, Kind]] = {
    "review_assigned": Kind(
        HTTPStatus.CONFLICT,
        "The payment is assigned to another reviewer",
        Repeat.LATER,
        "Until `assigned_until`, only `assigned_to` and senior reviewers can act on the payment.",
        "Claim the next payment, or ask a senior reviewer.",
    ),
    "review_not_assigned": Kind(
        HTTPStatus.CONFLICT,
        "The payment is not assigned",
        Repeat.CORRECTED,
        "The assignment was removed, or there never was one.",
        "Nothing needs to be done.",
    ),
    "assignment_needs_senior": Kind(
        HTTPStatus.FORBIDDEN,
        "A senior reviewer has to assign the payment",
        Repeat.CORRECTED,
        "The reviewer has neither claimed the payment nor is assigned to it.",
        "Claim the payment first, or let a senior reviewer assign it.",
    ),
    "assignee_not_reviewer": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The assignee is not a reviewer",
        Repeat.CORRECTED,
        "The person may not review payments, or does so no longer.",
        "Choose another person.",
    ),
    "review_snoozed": Kind(
        HTTPStatus.CONFLICT,
        "The payment is snoozed",
        Repeat.LATER,
        "A reviewer lets the payment wait, so it is not the next one.",
        "Wait for the end of the snooze, or claim this payment itself.",
    ),
    "review_not_snoozed": Kind(
        HTTPStatus.CONFLICT,
        "The payment is not snoozed",
        Repeat.CORRECTED,
        "The snooze has ended.",
        "Nothing needs to be done.",
    ),
    "snooze_time_invalid": Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The snooze does not end between now and the deadline",
        Repeat.CORRECTED,
        "A snooze does not move the deadline of the review.",
        "Choose a time in the future and before the deadline.",
    ),
}
