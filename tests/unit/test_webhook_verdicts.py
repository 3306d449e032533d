"""What each answer from a webhook endpoint means for the delivery."""

import pytest

from readmodels.webhooks.sending import Answer
from readmodels.webhooks.verdicts import Verdict, describe, judge


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((200, 201, 202, 204, 299), Verdict.DELIVERED),
        ((400, 401, 403, 404, 409, 413, 422, 499), Verdict.REJECTED),
        ((None, 100, 301, 302, 399, 408, 425, 429, 501, 502, 503, 599), Verdict.FAILED),
        ((500,), Verdict.UNCLEAR),
        ((410,), Verdict.GONE),
    ],
)
def test_verdict_follows_from_the_status(
    statuses: tuple[int | None, ...], verdict: Verdict
) -> None:
    answers = [Answer(status=status, milliseconds=1) for status in statuses]

    assert {judge(answer) for answer in answers} == {verdict}


@pytest.mark.parametrize("status", [None, 200, 404, 410])
def test_verdict_of_an_answer_with_an_error_is_a_failure(status: int | None) -> None:
    answer = Answer(status=status, error="The answer is longer than 64 KiB.", milliseconds=1)

    assert judge(answer) is Verdict.FAILED
    assert describe(answer) == "The answer is longer than 64 KiB."
