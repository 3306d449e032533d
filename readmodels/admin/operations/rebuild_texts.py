"""The texts on the page of a rebuild: the headline, the differences and the steps."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from readmodels import labels, masking
from readmodels.models import RebuildRun
from readmodels.models.rebuilds import RunState, StepKind
from readmodels.rebuild.compare import Comparison, Difference

_BLUE: Final = "text-blue-700 dark:text-blue-400"
_GREEN: Final = "text-green-700 dark:text-green-400"
_ORANGE: Final = "text-orange-700 dark:text-orange-400"
_RED: Final = "text-red-700 dark:text-red-400"
# By kind of step: title, icon and color.
_STEPS: Final = {
    StepKind.REQUESTED: ("Requested", "add_circle", _BLUE),
    StepKind.COMPARED: ("Built and compared", "difference", _BLUE),
    StepKind.CONFIRMED: ("Report confirmed", "task_alt", _BLUE),
    StepKind.CHANGED: ("Not swapped: the comparison had changed", "sync_problem", _ORANGE),
    StepKind.SWAPPED: ("Swapped in", "check_circle", _GREEN),
    StepKind.FAILED: ("Failed", "error", _RED),
    StepKind.CANCELLED: ("Cancelled", "cancel", _ORANGE),
    StepKind.RESTARTED: ("Started again", "restart_alt", _BLUE),
}
_SHORT: Final = 12  # digits of a digest


class Step(Struct, frozen=True):
    """A line in the history of a run."""

    title: str
    icon: str
    color: str
    by: str
    at: datetime
    note: str


class Table(Struct, frozen=True):
    """How the tables of a projection differ.

    `rows` contains (key, column, live value, rebuilt value), `sums` (name, live, rebuilt).
    """

    projection: str
    summary: str
    rows: list[tuple[str, str, str, str]]
    more: str
    sums: list[tuple[str, str, str]]


def state(run: RebuildRun, at: datetime) -> str:
    """Return the state of the run, or "stalled" if its worker was killed."""
    return "stalled" if run.is_stalled(at) else run.state


def headline(run: RebuildRun, comparisons: Sequence[Comparison], at: datetime) -> str:
    """Return a sentence with the state and the next step."""
    if run.is_stalled(at):
        return "Stalled: its worker has ended. Nothing was changed. Start it again, or cancel it."
    match RunState(run.state):
        case RunState.COMPARING | RunState.SWAPPING if run.lease is None:
            return "Waiting for a worker."
        case RunState.COMPARING:
            return "Building new tables. You can leave this page: the rebuild continues."
        case RunState.SWAPPING:
            return "Building again before the swap. You can leave this page: the rebuild continues."
        case RunState.COMPARED:
            differing = sum(each.differing for each in comparisons)
            if not differing:
                return "No row differs from the log. A swap would change no row."
            next_step = "Read the report, then swap the new tables in."
            return f"{_differs(differing)} from the log. {next_step}"
        case RunState.SWAPPED:
            return "Swapped in. Readers use the new tables."
        case RunState.CANCELLED:
            return "Cancelled. Nothing was changed."
        case RunState.FAILED:
            return "Failed. Nothing was changed."


def differing(comparisons: Sequence[Comparison]) -> list[Table]:
    return [_table(each) for each in comparisons if not each.same]


def equal(comparisons: Sequence[Comparison]) -> list[tuple[str, str]]:
    """Return the projections without differences, each with its number of rows."""
    return [(each.projection, _rows(each.live_rows)) for each in comparisons if each.same]


def steps(run: RebuildRun) -> list[Step]:
    found = list(run.steps.all())
    names = labels.people(step.actor for step in found)
    return [
        Step(
            *_STEPS[StepKind(step.kind)],
            by=names.get(step.actor, step.actor),
            at=step.at,
            note=_note(StepKind(step.kind), step.note),
        )
        for step in found
    ]


def _note(kind: StepKind, note: str) -> str:
    return note if kind == StepKind.FAILED or not note else f"Report {note[:_SHORT]}"


def _table(comparison: Comparison) -> Table:
    where = f"at position {comparison.position:,}"
    if comparison.live_position != comparison.position:
        where += f", the live table at position {comparison.live_position:,}"
    more = comparison.differing - len(comparison.sample)
    return Table(
        comparison.projection,
        f"{_differs(comparison.differing)}. The live table has {_rows(comparison.live_rows)}, the"
        f" rebuilt one {comparison.built_rows:,} ({where}).",
        [row for each in comparison.sample for row in _cells(each)],
        f"And {_rows(more, 'more row')}." if more > 0 else "",
        [
            (
                f"{total.currency}, {total.day or 'all days'}",
                labels.amount(total.live, total.currency),
                labels.amount(total.built, total.currency),
            )
            for total in (*comparison.totals, *comparison.differing_days)
            if total.live != total.built
        ],
    )


def _cells(difference: Difference) -> Iterator[tuple[str, str, str, str]]:
    if difference.missing:
        yield difference.key, "whole row", "missing", "present"
    elif difference.superfluous:
        yield difference.key, "whole row", "present", "no event explains it"
    else:
        for name, (live, built) in difference.columns.items():
            hide = masking.reference if name == "reference" else str
            yield difference.key, name, _value(live, hide), _value(built, hide)


def _value(text: str | None, hide: Callable[[str], str]) -> str:
    return "none" if text is None else hide(text) or "empty"


def _differs(number: int) -> str:
    return f"{_rows(number)} differ{'s' if number == 1 else ''}"


def _rows(number: int, name: str = "row") -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"
