"""The operations on risk policies and backtests.

Both concern the payments of all clients, so a key acts with the permissions of a member of staff.
"""

from typing import Any, ClassVar, Final
from uuid import UUID, uuid5

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from msgspec.structs import asdict
from rest_framework.request import Request
from rest_framework.response import Response

from payments import actors, permissions
from payments.api.bodies import NoBody
from payments.api.http.authentication import key_of
from payments.api.http.base import KeyView
from payments.api.http.reading import idempotency_key, read_body
from payments.api.problems.problem import Problem
from payments.api.representation import json_response
from payments.application import policies
from payments.application.idempotency import KeyReused
from payments.clients.models import Scope
from payments.domain.risk.policy import RiskPolicy
from payments.events.reading.horizon import HorizonHeld
from readmodels.api import cursors, parameters
from readmodels.api.backtests import operations, representation
from readmodels.api.backtests.bodies import BacktestBody, is_id
from readmodels.backtests import requests
from readmodels.backtests.models import Backtest, State
from readmodels.queries import keyset

_SEE_BACKTESTS: Final = "backtests.view_backtest"
_NAMESPACE: Final = UUID("1f2c2f0a-5f0b-4a54-9d1e-7c5f0a9d3b62")
_RETRY_SECONDS: Final = 60
_ORDER: Final = ("created_at", "id")


class PolicyKeyView(KeyView):
    def handle_exception(self, exc: Exception) -> Response:
        """Turn refusals by the use cases into problems."""
        return super().handle_exception(_problem(exc) or exc)


class Policies(PolicyKeyView):
    """List all policies."""

    scopes: ClassVar = {"GET": Scope.POLICIES_READ}

    @extend_schema(**operations.LIST_POLICIES)
    def get(self, request: Request) -> HttpResponse:
        parameters.read(request, {})
        permissions.require(_person(request), permissions.SEE_POLICIES)
        register = policies.register()
        active = policies.active_of(register).policy_id
        views = [
            representation.PolicyView.of(
                policy, register.policies.get(policy_id), active=policy_id == active
            )
            for policy_id, policy in policies.all_of(register).items()
        ]
        return json_response(representation.PolicyList(views))


class OnePolicy(PolicyKeyView):
    """Show a policy with its content."""

    scopes: ClassVar = {"GET": Scope.POLICIES_READ}

    @extend_schema(**operations.READ_POLICY)
    def get(self, request: Request, policy_id: str) -> HttpResponse:
        parameters.read(request, {})
        permissions.require(_person(request), permissions.SEE_POLICIES)
        register = policies.register()
        policy = _policy(policy_id)
        active = policy_id == policies.active_of(register).policy_id
        view = representation.PolicyView.of(policy, register.policies.get(policy_id), active=active)
        return json_response(
            representation.PolicyWithDocument(
                **asdict(view), document=representation.document(policy)
            )
        )


class Backtests(PolicyKeyView):
    """List backtests, and ask for one."""

    scopes: ClassVar = {"GET": Scope.POLICIES_READ, "POST": Scope.POLICIES_WRITE}

    @extend_schema(**operations.LIST)
    def get(self, request: Request) -> HttpResponse:
        given = parameters.read(
            request,
            {
                "state": parameters.choice(*State.values),
                "policy_id": parameters.text,
                "cursor": cursors.decode,
                "limit": parameters.whole(1, parameters.LONGEST_PAGE),
            },
        )
        permissions.require(_person(request), _SEE_BACKTESTS)
        return json_response(_page(request, given))

    @extend_schema(**operations.CREATE)
    def post(self, request: Request) -> HttpResponse:
        key, by = idempotency_key(request), _person(request)
        body = read_body(request, BacktestBody)
        sent, now = body.sent(), timezone.now()
        since, until = body.range()
        permissions.require(by, requests.RUN)
        baseline = body.baseline_policy_id
        asked = requests.Request(
            candidate=_policy(body.policy_id),
            baseline=None if baseline is None else _policy(baseline),
            since=since,
            until=until,
            mode=body.mode,
            sample_ppm=body.sample_ppm,
            seed=body.seed,
            mature=body.mature,
        )
        repeatable = requests.Repeatable(uuid5(_NAMESPACE, f"{by} {key}"), sent)
        found = requests.request(asked, by=by, at=now, repeatable=repeatable)
        first = found.sent or {}
        if first != sent:
            names = sorted(first.keys() | sent.keys())
            raise KeyReused(tuple(each for each in names if first.get(each) != sent.get(each)))
        headers = {"Location": f"{request.path}/{found.pk}"}
        if found.created_at != now:
            headers["Idempotency-Replayed"] = "true"
        return json_response(representation.backtest(found), headers, status=202)


class OneBacktest(PolicyKeyView):
    """Show a backtest with its result."""

    scopes: ClassVar = {"GET": Scope.POLICIES_READ}

    @extend_schema(**operations.READ)
    def get(self, request: Request, backtest_id: UUID) -> HttpResponse:
        parameters.read(request, {})
        permissions.require(_person(request), _SEE_BACKTESTS)
        return json_response(representation.backtest(requests.find(backtest_id)))


class CancelBacktest(PolicyKeyView):
    """End a backtest without a result."""

    scopes: ClassVar = {"POST": Scope.POLICIES_WRITE}

    @extend_schema(**operations.CANCEL)
    def post(self, request: Request, backtest_id: UUID) -> HttpResponse:
        read_body(request, NoBody)
        by = _person(request)
        try:
            requests.cancel(backtest_id, by=by, at=timezone.now())
        except requests.BacktestEnded as error:
            if error.state != State.CANCELLED:
                raise
        return json_response(representation.backtest(requests.find(backtest_id)))


def _page(request: Request, given: dict[str, Any]) -> representation.BacktestPage:
    """Return a page of backtests, the newest first. Raises Problem."""
    rows = Backtest.objects.filter(verifies=None).defer("candidate", "baseline", "result")
    if "state" in given:
        rows = rows.filter(state=given["state"])
    if "policy_id" in given:
        rows = rows.filter(candidate_id=given["policy_id"])
    question = cursors.question(request.path, given)
    if "cursor" in given:
        match given["cursor"]:
            case cursors.Cursor((_, UUID()) as after, question=asked) if asked == question:
                rows = rows.filter(keyset.beyond(_ORDER, after, ascending=False))
            case _:
                raise Problem.of_field("cursor", "wrong_format", cursors.OF_ANOTHER_LIST)
    rows = rows.order_by(*keyset.order(_ORDER, ascending=False))
    found, more = keyset.page(rows, given.get("limit", parameters.PAGE))
    next_cursor = None
    if more:
        last = (found[-1].created_at, found[-1].pk)
        next_cursor = cursors.encode(cursors.Cursor(last, question))
    views = [representation.BacktestView.of(each) for each in found]
    return representation.BacktestPage(views, next_cursor)


def _policy(policy_id: str) -> RiskPolicy:
    """Return the policy.

    Raises UnknownPolicy, or Problem if the text is not an id. The problem does not repeat the text.
    """
    if not is_id(policy_id):
        raise Problem("unknown_policy", "This is not the id of a policy.")
    return policies.by_id(policy_id)


def _person(request: Request) -> str:
    """Return the actor id of the member of staff who holds the key."""
    staff_id = key_of(request).staff_id
    if staff_id is None:
        raise Problem("permission_denied", "This key does not belong to a staff member.")
    return actors.staff(staff_id)


def _problem(error: Exception) -> Problem | None:
    """Return the problem for a use case's refusal, or None for any other exception."""
    match error:
        case policies.UnknownPolicy():
            return Problem("unknown_policy", str(error))
        case requests.UnknownBacktest():
            return Problem("backtest_not_found", str(error))
        case requests.BacktestEnded():
            return Problem("backtest_ended", str(error))
        case requests.TooManyBacktests():
            return Problem("too_many_backtests", str(error), retry_after=_RETRY_SECONDS)
        case requests.EmptyRange():
            return Problem.of_field("since", "out_of_range", str(error))
        case HorizonHeld():
            return Problem("temporarily_unavailable", str(error), retry_after=1)
    return None
