"""Compare built tables with the live ones, at one position of the log and in one snapshot."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from itertools import groupby
from typing import Any, Final

from django.db import transaction
from msgspec import Struct
from psycopg import sql

from payments.database import cursor, separate_connection
from payments.events.contradictions import LogContradicted
from readmodels.engine import runner, storage
from readmodels.engine.checkpoints import RebuildNeeded
from readmodels.projections.kinds import Projection
from readmodels.rebuild import build
from readmodels.rebuild.build import Plan

# How many differing rows, and how many differing days, to report per projection.
SAMPLE: Final = 5

_HOLD: Final = sql.SQL(
    "SELECT name, position FROM {checkpoint} WHERE name = ANY(%s) ORDER BY name FOR UPDATE"
)
_POSITIONS: Final = sql.SQL("SELECT name, position FROM {checkpoint}")
_JOINED: Final = sql.SQL(
    """
  FROM (SELECT {key}, ROW({columns}) AS row, {texts} AS texts FROM {live}) AS live
  FULL JOIN (SELECT {key}, ROW({columns}) AS row, {texts} AS texts FROM {built}) AS built
 USING ({key})
"""
)
_COUNT: Final = sql.SQL(
    """
SELECT count(live.row), count(built.row), count(*) FILTER (WHERE live.row IS DISTINCT FROM built.row)
"""
)
_SAMPLE: Final = sql.SQL("SELECT live.texts, built.texts")
# In the order of the keys, so that two comparisons of the same tables are equal.
_DIFFERING: Final = sql.SQL(
    "WHERE live.row IS DISTINCT FROM built.row ORDER BY {key} LIMIT {sample}"
)
_TOTALS: Final = sql.SQL(
    """
SELECT currency, day, coalesce(live.sum, 0)::bigint, coalesce(built.sum, 0)::bigint
  FROM (SELECT currency, {day} AS day, sum({volume}) FROM {live} GROUP BY 1, 2) AS live
  FULL JOIN (SELECT currency, {day} AS day, sum({volume}) FROM {built} GROUP BY 1, 2) AS built
 USING (currency, day)
 ORDER BY currency, day
"""
)


class Difference(Struct, frozen=True):
    """A differing row: by column, the values of the live row and of the built one."""

    key: str
    columns: dict[str, tuple[str | None, str | None]]
    missing: bool = False  # in the live table
    superfluous: bool = False


class Total(Struct, frozen=True):
    """The volume in minor units of one day, or of all days if `day` is None."""

    currency: str
    day: date | None
    live: int
    built: int


class Comparison(Struct, frozen=True):
    """How a live table and a built one differ."""

    projection: str
    position: int
    live_position: int  # differs if the live table is stalled or filled by older code
    live_rows: int
    built_rows: int
    differing: int
    sample: tuple[Difference, ...]
    totals: tuple[Total, ...]
    differing_days: tuple[Total, ...]

    @property
    def same(self) -> bool:
        return not self.differing


def with_live(plan: Plan) -> list[Comparison]:
    """Bring both tables to the same position, and compare all rows.

    Catches the live tables up first, as a worker does. Raises HorizonHeld and UnreadableEvent.
    """
    for projection in plan.projections:
        # Tables of older code, and those ahead of the log, are compared without catching up.
        with suppress(RebuildNeeded, LogContradicted):
            runner.catch_up(projection)
    with ExitStack() as held:
        live = held.enter_context(_hold(plan))
        for projection in plan.projections:
            build.advance(plan.schema, projection, upto=live.get(projection.name, 0))
        with transaction.atomic(durable=True):
            _begin_snapshot()
            held.close()  # batches may continue, because the snapshot hides their changes
            built = _built(plan)
            return [
                _compare(
                    plan, each, position=built[each.name], live_position=live.get(each.name, 0)
                )
                for each in plan.projections
            ]


@contextmanager
def _hold(plan: Plan) -> Iterator[dict[str, int]]:
    """Wait for running batches, and hold back others until the block ends. Yields the positions."""
    checkpoint = sql.Identifier(plan.live, "readmodels_checkpoint")
    with separate_connection() as holder, holder.transaction():
        holder.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        rows = holder.execute(_HOLD.format(checkpoint=checkpoint), (list(plan.names),))
        yield dict(rows.fetchall())


def _begin_snapshot() -> None:
    with cursor() as cur:
        cur.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cur.execute("SELECT")


def _built(plan: Plan) -> dict[str, int]:
    checkpoint = sql.Identifier(plan.schema, "readmodels_checkpoint")
    with cursor() as cur:
        return dict(cur.execute(_POSITIONS.format(checkpoint=checkpoint)).fetchall())


def _compare(
    plan: Plan, projection: Projection, *, position: int, live_position: int
) -> Comparison:
    with cursor() as cur:

        def run(*statement: sql.SQL) -> list[tuple[Any, ...]]:
            composed = [_compose(part, plan, projection) for part in statement]
            return cur.execute(sql.Composed(composed)).fetchall()

        ((live_rows, built_rows, differing),) = run(_COUNT, _JOINED)
        sample = run(_SAMPLE, _JOINED, _DIFFERING) if differing else []
        days = [Total(*row) for row in run(_TOTALS)] if projection.totals else []
    return Comparison(
        projection.name,
        position,
        live_position,
        live_rows,
        built_rows,
        differing,
        tuple(_difference(projection, live, built) for live, built in sample),
        tuple(_by_currency(days)),
        tuple(each for each in days if each.live != each.built)[:SAMPLE],
    )


def _difference(
    projection: Projection, live: list[str | None] | None, built: list[str | None] | None
) -> Difference:
    names = storage.columns(projection)
    nothing = [None] * len(names)
    pairs = dict(zip(names, zip(live or nothing, built or nothing, strict=True), strict=True))
    keys = (field.attname for field in projection.model._meta.pk_fields)
    key = " ".join(str(pairs[name][0] or pairs[name][1]) for name in keys)
    changed = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    return Difference(key, changed, missing=live is None, superfluous=built is None)


def _by_currency(days: Sequence[Total]) -> Iterator[Total]:
    for currency, group in groupby(days, key=lambda each: each.currency):
        of_currency = list(group)
        yield Total(
            currency,
            None,
            sum(each.live for each in of_currency),
            sum(each.built for each in of_currency),
        )


def _compose(statement: sql.SQL, plan: Plan, projection: Projection) -> sql.Composed:
    table = projection.model._meta.db_table
    names = [sql.Identifier(name) for name in storage.columns(projection)]
    comma = sql.SQL(", ")
    totals = projection.totals
    return statement.format(
        live=sql.Identifier(plan.live, table),
        built=sql.Identifier(plan.schema, table),
        key=comma.join(sql.Identifier(field.attname) for field in projection.model._meta.pk_fields),
        columns=comma.join(names),
        sample=sql.Literal(SAMPLE),
        texts=sql.SQL("ARRAY[{}]").format(
            comma.join(sql.SQL("{}::text").format(each) for each in names)
        ),
        **({"day": sql.SQL(totals.day), "volume": sql.SQL(totals.volume)} if totals else {}),
    )
