"""Policies and backtests over the API: scopes, permissions, repetitions, refusals, the answer."""

from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from payments.clients import keys
from payments.clients.models import Scope
from payments.domain.risk.policy import DEFAULT_POLICY
from readmodels.backtests import processes
from readmodels.backtests.models import Backtest
from tests.support.api import ApiClient, body_of
from tests.support.backtests import STRICT, ask, submit_many
from tests.support.examples import OPERATOR
from tests.support.policies import propose, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

POLICIES: Final = "/api/v1/policies"
BACKTESTS: Final = "/api/v1/backtests"
UNKNOWN: Final = UUID(int=14)
BODY: Final[dict[str, Any]] = {"policy_id": STRICT.policy_id}
BOTH: Final[list[str]] = [Scope.POLICIES_READ, Scope.POLICIES_WRITE]


@pytest.fixture
def analyst() -> ApiClient:
    """The key of a member of staff who may run backtests. A policy is proposed."""
    submit_many()
    propose(STRICT, staff("mia"), name="Stricter")
    return ApiClient("Internal", scopes=BOTH)


def test_backtest_is_queued_answered_and_read(analyst: ApiClient) -> None:
    created = analyst.post(BACKTESTS, BODY)
    address = created["Location"]
    queued = body_of(analyst.get(address))
    processes.run(Backtest.objects.get().pk, workers=1)
    done = body_of(analyst.get(address))

    assert created.status_code == 202
    assert (queued["state"], queued["parts_done"], queued["result"]) == ("queued", 0, None)
    assert body_of(created)["id"] == queued["id"]
    assert (done["state"], done["parts_done"]) == ("done", done["parts"])
    assert done["digest"] == Backtest.objects.get().digest
    result = done["result"]
    assert (result["payments"], result["evaluated"], result["flips"]) == (30, 30, 28)
    assert result["verdict"].startswith("Of 30 payments, 28 would newly wait for review")
    assert sum(each["payments"] for each in result["matrix"]) == 30
    assert {each["rule"] for each in result["rules"]} >= {"over_10"}
    assert done["requested_by"] == f"staff:{analyst.staff_id}"


def test_repetition_creates_no_second_backtest(analyst: ApiClient) -> None:
    first, again = (analyst.post(BACKTESTS, BODY, key="K") for _ in range(2))
    other = analyst.post(BACKTESTS, BODY | {"seed": 7}, key="K")

    assert body_of(first)["id"] == body_of(again)["id"]
    assert "Idempotency-Replayed" not in first.headers
    assert again["Idempotency-Replayed"] == "true"
    assert (other.status_code, body_of(other)["code"]) == (422, "idempotency_key_reused")
    assert [each["field"] for each in body_of(other)["errors"]] == ["seed"]
    assert Backtest.objects.count() == 1


def test_keys_of_two_people_are_different_commands(analyst: ApiClient) -> None:
    other = ApiClient("Internal", scopes=BOTH, staff="bob")

    analyst.post(BACKTESTS, BODY, key="K")
    other.post(BACKTESTS, BODY, key="K")

    assert Backtest.objects.count() == 2


def test_command_without_key_is_refused(analyst: ApiClient) -> None:
    answer = analyst.send("POST", BACKTESTS, b"{}")

    assert body_of(answer)["code"] == "idempotency_key_missing"


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"policy_id": "f" * 64}, 404, "unknown_policy", None),
        ({"policy_id": ""}, 400, "invalid_request", "policy_id"),
        ({"policy_id": "\u0000"}, 400, "invalid_request", "policy_id"),
        ({"policy_id": "'; DROP TABLE x" * 99}, 400, "invalid_request", "policy_id"),
        ({"baseline_policy_id": "f" * 64}, 404, "unknown_policy", None),
        ({"policy_id": 1}, 400, "invalid_request", "policy_id"),
        ({"since": "soon"}, 400, "invalid_request", "since"),
        ({"since": "2020-01-01", "until": "2020-02-01"}, 400, "invalid_request", "since"),
        ({"until": "0001-01-01T00:00:00+14:00"}, 400, "invalid_request", "until"),
        ({"mode": "guessed"}, 400, "invalid_request", "mode"),
        ({"sample_ppm": 0}, 400, "invalid_request", "sample_ppm"),
        ({"sample_ppm": 10**30}, 400, "invalid_request", "sample_ppm"),
        ({"seed": -1}, 400, "invalid_request", "seed"),
        ({"seed": 2**31}, 400, "invalid_request", "seed"),
        ({"mature_days": 3651}, 400, "invalid_request", "mature_days"),
        ({"mature_days": 1.5}, 400, "invalid_request", "mature_days"),
        ({"unknown": 1}, 400, "invalid_request", "unknown"),
    ],
)
def test_wrong_question_is_refused(
    analyst: ApiClient, changes: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    answer = analyst.post(BACKTESTS, BODY | changes)

    body = body_of(answer)
    assert (answer.status_code, body["code"]) == (status, code)
    assert field in [None, *(each["field"] for each in body.get("errors", []))]
    assert not Backtest.objects.exists()


def test_eleventh_unfinished_backtest_is_refused(analyst: ApiClient) -> None:
    for _ in range(10):
        ask()

    answer = analyst.post(BACKTESTS, BODY)

    assert (answer.status_code, body_of(answer)["code"]) == (429, "too_many_backtests")
    assert answer["Retry-After"] == "60"


def test_cancelling_twice_changes_nothing_but_an_answer_stays(analyst: ApiClient) -> None:
    address = analyst.post(BACKTESTS, BODY)["Location"]
    done = ask()
    processes.run(done.pk, workers=1)

    first, again = (analyst.post(f"{address}/cancel", {}) for _ in range(2))
    late = analyst.post(f"{BACKTESTS}/{done.pk}/cancel", {})
    missing = analyst.post(f"{BACKTESTS}/{uuid4()}/cancel", {})

    assert [body_of(each)["state"] for each in (first, again)] == ["cancelled"] * 2
    assert (late.status_code, body_of(late)["code"]) == (409, "backtest_ended")
    assert (missing.status_code, body_of(missing)["code"]) == (404, "backtest_not_found")


def test_list_has_pages_and_filters(analyst: ApiClient) -> None:
    found = [str(ask(policy).pk) for policy in (STRICT, DEFAULT_POLICY, STRICT)]
    processes.run(found[2], workers=1)  # type: ignore[arg-type]

    def listed(query: str) -> list[str]:
        return [each["id"] for each in body_of(analyst.get(f"{BACKTESTS}?{query}"))["backtests"]]

    first = body_of(analyst.get(f"{BACKTESTS}?limit=2"))
    rest = listed(f"limit=2&cursor={first['next']}")

    assert {each["id"] for each in first["backtests"]} | set(rest) == set(found)
    assert listed("state=done") == [found[2]]
    assert listed(f"policy_id={DEFAULT_POLICY.policy_id}") == [found[1]]
    for query in ("cursor=x", f"state=done&cursor={first['next']}", "state=lost", "limit=0", "x=1"):
        assert analyst.get(f"{BACKTESTS}?{query}").status_code == 400, query


def test_policies_are_listed_and_read(analyst: ApiClient) -> None:
    listed = body_of(analyst.get(POLICIES))["policies"]
    read = body_of(analyst.get(f"{POLICIES}/{STRICT.policy_id}"))
    missing, wrong = (analyst.get(f"{POLICIES}/{text}") for text in ("f" * 64, "4111111111111111"))

    shown = {each["id"]: (each["name"], each["status"], each["active"]) for each in listed}
    assert shown == {
        DEFAULT_POLICY.policy_id: ("", "built_in", True),
        STRICT.policy_id: ("Stricter", "proposed", False),
    }
    assert read["document"]["rules"][-1]["reason"] == "over_10"
    for answer in (missing, wrong):
        assert (answer.status_code, body_of(answer)["code"]) == (404, "unknown_policy")
    assert "4111" not in body_of(wrong)["detail"]


ADDRESSES: Final = (
    ("GET", POLICIES, Scope.POLICIES_READ),
    ("GET", f"{POLICIES}/{STRICT.policy_id}", Scope.POLICIES_READ),
    ("GET", BACKTESTS, Scope.POLICIES_READ),
    ("GET", f"{BACKTESTS}/{UNKNOWN}", Scope.POLICIES_READ),
    ("POST", BACKTESTS, Scope.POLICIES_WRITE),
    ("POST", f"{BACKTESTS}/{UNKNOWN}/cancel", Scope.POLICIES_WRITE),
)


@pytest.mark.parametrize(("method", "address", "scope"), ADDRESSES)
def test_only_the_scope_and_the_permissions_of_the_person_permit(
    analyst: ApiClient, method: str, address: str, scope: Scope
) -> None:
    """The views check the permissions for reads, and the use cases those for commands."""
    others = ApiClient("Other", scopes=[each for each in Scope if each is not scope])
    own = ApiClient("Own", scopes=[scope])
    headers = {"Idempotency-Key": "K"}

    def send(client: ApiClient) -> int:
        body = b'{"policy_id": "%s"}' % STRICT.policy_id.encode() if method == "POST" else b""
        body = b"" if address.endswith("cancel") else body
        return client.send(method, address, body, **headers).status_code

    permitted = send(own)
    get_user_model().objects.get(username="ada").user_permissions.clear()

    assert send(others) == 403
    assert permitted in {200, 202, 404}
    assert send(own) == 403


def test_key_with_scope_of_policies_needs_a_person(analyst: ApiClient) -> None:
    for scope in BOTH:
        with pytest.raises(IntegrityError), transaction.atomic():
            keys.create(analyst.client, [scope], by=OPERATOR)
