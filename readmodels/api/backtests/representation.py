"""Risk policies and backtests in the answers of the API."""

from collections import Counter
from datetime import timedelta
from typing import Annotated, Any, Final, Self
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from payments.domain.backtest import verdict
from payments.domain.backtest.labels import Kind, Label
from payments.domain.backtest.outcomes import Outcome
from payments.domain.backtest.question import Mode
from payments.domain.backtest.result import Result, Workload
from payments.domain.risk.policy import PolicyStatus, RiskPolicy
from payments.domain.risk.register import RegisteredPolicy
from payments.domain.text import Moment, rfc3339
from readmodels.backtests import requests
from readmodels.backtests.models import Backtest, State
from readmodels.backtests.questions import stored_result

_OUTCOMES: Final = {"enum": [each.value for each in Outcome]}
_NEXT: Final = Meta(description="The `cursor` of the next page; null: this is the last one.")


class PolicyView(Struct, frozen=True, kw_only=True):
    """A risk policy and its latest proposal."""

    id: Annotated[str, Meta(description="The SHA-256 of its content.")]
    name: Annotated[str, Meta(description="The name that its proposer gave it; empty: none.")]
    status: Annotated[
        str,
        Meta(
            description="`built_in`: it is part of the service and was never proposed.",
            extra_json_schema={"enum": [*(each.value for each in PolicyStatus), "built_in"]},
        ),
    ]
    active: Annotated[bool, Meta(description="Whether it scores new payments.")]
    rules: Annotated[list[str], Meta(description="The reason codes of its rules.")]
    proposed_at: Annotated[Moment | None, Meta(description="When it was proposed (UTC).")]
    approved_at: Annotated[Moment | None, Meta(description="When it was approved (UTC).")]
    backtest_id: Annotated[
        UUID | None, Meta(description="The backtest that is attached to the proposal; null: none.")
    ]

    @classmethod
    def of(cls, policy: RiskPolicy, found: RegisteredPolicy | None, *, active: bool) -> Self:
        backtest = found.backtest if found is not None else None
        return cls(
            id=policy.policy_id,
            name=found.name if found is not None else "",
            status=found.status.value if found is not None else "built_in",
            active=active,
            rules=[rule.reason for rule in policy.document.rules],
            proposed_at=rfc3339(found.proposed_at if found is not None else None),
            approved_at=rfc3339(found.approved_at if found is not None else None),
            backtest_id=backtest.backtest_id if backtest is not None else None,
        )


class PolicyList(Struct, frozen=True):
    """All risk policies."""

    policies: Annotated[list[PolicyView], Meta(description="In the order of their first proposal.")]


class PolicyWithDocument(PolicyView, frozen=True, kw_only=True):
    """A risk policy with its content."""

    document: Annotated[
        dict[str, Any],
        Meta(description="The rules and limits, as `./manage.py policy show` prints them."),
    ]


class BacktestCell(Struct, frozen=True, kw_only=True):
    """The payments with the same decisions, label and currency."""

    baseline: Annotated[
        str, Meta(description="The decision of the baseline.", extra_json_schema=_OUTCOMES)
    ]
    candidate: Annotated[
        str, Meta(description="The decision of the policy.", extra_json_schema=_OUTCOMES)
    ]
    label: Annotated[
        str,
        Meta(
            description="`fraud`, `good`, or why that is unknown.",
            extra_json_schema={"enum": [each.value for each in Label]},
        ),
    ]
    currency: Annotated[str, Meta(description="An ISO 4217 code.")]
    payments: Annotated[int, Meta(description="The number of payments.")]
    amount: Annotated[int, Meta(description="Their amount in minor units of the currency.")]


class BacktestRule(Struct, frozen=True, kw_only=True):
    """The effect of a rule of the policy. The precision is fraud / (fraud + good)."""

    rule: Annotated[str, Meta(description="The reason code.")]
    fired: Annotated[int, Meta(description="The payments on which it fired.")]
    fired_fraud: Annotated[int, Meta(description="Those of them that were fraud.")]
    fired_good: Annotated[int, Meta(description="Those of them that were good.")]
    decisive: Annotated[
        int, Meta(description="The payments whose decision would differ without the rule.")
    ]
    decisive_fraud: Annotated[int, Meta(description="Those of them that were fraud.")]
    decisive_good: Annotated[int, Meta(description="Those of them that were good.")]


class BacktestWork(Struct, frozen=True, kw_only=True):
    """The work of reviewers under one side."""

    payments: Annotated[int, Meta(description="The payments under review.")]
    minutes: Annotated[int, Meta(description="The time of reviewers.")]
    reviewers: Annotated[int, Meta(description="The reviewers needed at a time.")]

    @classmethod
    def of(cls, side: Workload) -> Self:
        return cls(payments=side.payments, minutes=side.minutes, reviewers=side.reviewers)


class BacktestResult(Struct, frozen=True, kw_only=True):
    """The result of a backtest. Its digest covers more: examples, bands and arrivals."""

    verdict: Annotated[str, Meta(description="The result in one sentence, for people.")]
    limits: Annotated[list[str], Meta(description="What the verdict does not say, for people.")]
    payments: Annotated[int, Meta(description="The payments of the range.")]
    evaluated: Annotated[int, Meta(description="Those on which the policy was evaluated.")]
    not_evaluable: Annotated[int, Meta(description="Those without a fact that the policy needs.")]
    not_sampled: Annotated[int, Meta(description="Those outside the sample.")]
    left_out: Annotated[int, Meta(description="Those on which no policy decides.")]
    flips: Annotated[int, Meta(description="The payments that would be decided otherwise.")]
    flips_ppm: Annotated[int, Meta(description="Their share of the evaluated ones, per million.")]
    flips_low_ppm: Annotated[
        int, Meta(description="The lower end of the interval of 95 % of that share.")
    ]
    flips_high_ppm: Annotated[int, Meta(description="The upper end of that interval.")]
    known_ppm: Annotated[
        int, Meta(description="The share of the flips that are known to be fraud or good.")
    ]
    drift: Annotated[
        int,
        Meta(
            description="The decisions that today's code would not repeat by their own policy and facts."
        ),
    ]
    matrix: Annotated[list[BacktestCell], Meta(description="The payments by decision and label.")]
    rules: Annotated[list[BacktestRule], Meta(description="The rules that fired.")]
    baseline: Annotated[BacktestWork, Meta(description="The work under the baseline.")]
    candidate: Annotated[BacktestWork, Meta(description="The work under the policy.")]

    @classmethod
    def of(cls, result: Result) -> Self:
        return cls(
            verdict=verdict.verdict(result),
            limits=list(verdict.limits(result)),
            payments=result.payments,
            evaluated=result.evaluated,
            not_evaluable=result.not_evaluable_payments,
            not_sampled=result.not_sampled,
            left_out=sum(result.left_out.values()),
            flips=result.flips,
            flips_ppm=result.flip_share.ppm,
            flips_low_ppm=result.flip_share.low_ppm,
            flips_high_ppm=result.flip_share.high_ppm,
            known_ppm=result.known_ppm,
            drift=result.drift,
            matrix=[
                BacktestCell(
                    baseline=each.baseline.value,
                    candidate=each.candidate.value,
                    label=each.label.value,
                    currency=each.currency,
                    payments=each.payments,
                    amount=each.minor,
                )
                for each in result.matrix
            ],
            rules=_rules(result),
            baseline=BacktestWork.of(result.baseline),
            candidate=BacktestWork.of(result.candidate),
        )


def _rules(result: Result) -> list[BacktestRule]:
    fired: dict[str, Counter[Kind]] = {}
    decisive: dict[str, Counter[Kind]] = {}
    for each in result.rules:
        fired.setdefault(each.rule, Counter())[each.kind] += each.fired
        decisive.setdefault(each.rule, Counter())[each.kind] += each.decisive
    return [
        BacktestRule(
            rule=rule,
            fired=kinds.total(),
            fired_fraud=kinds[Kind.FRAUD],
            fired_good=kinds[Kind.GOOD],
            decisive=decisive[rule].total(),
            decisive_fraud=decisive[rule][Kind.FRAUD],
            decisive_good=decisive[rule][Kind.GOOD],
        )
        for rule, kinds in fired.items()
    ]


class BacktestView(Struct, frozen=True, kw_only=True):
    """A backtest: its question and its state."""

    id: Annotated[UUID, Meta(description="The id of the backtest.")]
    state: Annotated[
        str,
        Meta(
            description="`queued` also after an interruption.",
            extra_json_schema={"enum": State.values},
        ),
    ]
    policy_id: Annotated[str, Meta(description="The policy that is tested.")]
    baseline_policy_id: Annotated[
        str | None, Meta(description="The policy to compare with; null: what the history records.")
    ]
    since: Annotated[int, Meta(description="Payments begin after this position of the log.")]
    upto: Annotated[int, Meta(description="Nothing after this position of the log is known.")]
    known_at: Annotated[Moment, Meta(description="The time of the log at `upto` (UTC).")]
    mode: Annotated[Mode, Meta(description="Where the facts about payments come from.")]
    sample_ppm: Annotated[int, Meta(description="The sample in parts per million.")]
    seed: Annotated[int, Meta(description="The seed of the sample.")]
    mature_days: Annotated[int, Meta(description="After how many days a payment is good.")]
    requested_by: Annotated[str, Meta(description="The id of the person who asked.")]
    created_at: Annotated[Moment, Meta(description="When it was requested (UTC).")]
    finished_at: Annotated[Moment | None, Meta(description="When it ended (UTC); null: not yet.")]
    error: Annotated[str | None, Meta(description="Why it failed; null: it did not.")]
    digest: Annotated[
        str | None,
        Meta(
            description="The SHA-256 of question and result, which `./manage.py backtest verify` computes"
            " again; null: no result yet."
        ),
    ]

    @classmethod
    def of(cls, backtest: Backtest, **more: Any) -> Self:
        return cls(
            id=backtest.pk,
            state=backtest.state,
            policy_id=backtest.candidate_id,
            baseline_policy_id=backtest.baseline_id or None,
            since=backtest.since,
            upto=backtest.upto,
            known_at=rfc3339(backtest.known_at),
            mode=Mode(backtest.mode),
            sample_ppm=backtest.sample_ppm,
            seed=backtest.seed,
            mature_days=backtest.mature // timedelta(days=1),
            requested_by=backtest.requested_by,
            created_at=rfc3339(backtest.created_at),
            finished_at=rfc3339(backtest.finished_at),
            error=backtest.error or None,
            digest=backtest.digest or None,
            **more,
        )


class BacktestWithResult(BacktestView, frozen=True, kw_only=True):
    """A backtest with its progress and its result."""

    parts_done: Annotated[int, Meta(description="The parts that are done.")]
    parts: Annotated[int, Meta(description="All parts.")]
    result: Annotated[
        BacktestResult | None, Meta(description="The result; null until the state is `done`.")
    ]


class BacktestPage(Struct, frozen=True):
    """A page of backtests."""

    backtests: Annotated[list[BacktestView], Meta(description="At most `limit`, the newest first.")]
    next: Annotated[str | None, _NEXT]


def backtest(found: Backtest) -> BacktestWithResult:
    progress = requests.progress(found)
    result = BacktestResult.of(stored_result(found)) if found.state == State.DONE else None
    return BacktestWithResult.of(
        found, parts_done=progress.done, parts=progress.parts, result=result
    )


def document(policy: RiskPolicy) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(policy.document)
    return found
