"""Find transactions that append and stay open, with their age and the statement that ends them.

While such a transaction is open, no reader can pass the position at which it began to append. All
projections wait for it.
"""

from typing import Final

from msgspec import Struct

from payments.database import cursor
from payments.events.reading import horizon
from payments.events.reading.horizon import Holder

# An append takes milliseconds. A transaction older than this was forgotten, or does too much at once.
LONG_SECONDS: Final = 3.0

# A prepared transaction has no session, so its age is the time since it was prepared. Other roles'
# sessions are visible only with pg_read_all_stats.
_AGES: Final = """
SELECT writer.name, writer.pid, prepared.gid, activity.state,
       extract(epoch FROM clock_timestamp() - coalesce(activity.xact_start, prepared.prepared))::float8
         AS seconds
  FROM unnest(%(names)s::text[], %(pids)s::int[]) AS writer (name, pid)
  LEFT JOIN pg_stat_activity AS activity ON activity.pid = writer.pid
  LEFT JOIN (pg_locks AS own JOIN pg_prepared_xacts AS prepared
                                  ON prepared.transaction = own.transactionid)
    ON writer.pid IS NULL AND own.pid IS NULL AND own.virtualtransaction = writer.name
   AND own.locktype = 'transactionid'
 WHERE coalesce(activity.xact_start, prepared.prepared) IS NOT NULL
 ORDER BY seconds DESC
"""


class OpenAppend(Struct, frozen=True):
    """An open transaction that appends. Its `str` is a message for operators."""

    holder: Holder
    state: str
    seconds: float

    def __str__(self) -> str:
        return (
            f"The projections wait for {self.holder} ({self.state}), which appends to the log and has"
            f" been open for {self.seconds:.0f} s. If it was forgotten: {self._remedy}"
        )

    @property
    def _remedy(self) -> str:
        if self.holder.pid:
            return f"SELECT pg_terminate_backend({self.holder.pid});"
        gid = (self.holder.gid or "").replace("'", "''")
        return f"COMMIT PREPARED '{gid}'; or ROLLBACK PREPARED '{gid}';"


def open_appends(*, longer_than: float = 0.0) -> list[OpenAppend]:
    """Return the appending transactions open for over `longer_than` seconds, oldest first.

    Sessions of other roles are included only if this role may see their ages.
    """
    writers = horizon.writers().values()
    if not writers:
        return []
    names = [writer.virtual_transaction for writer in writers]
    parameters = {"names": names, "pids": [writer.pid for writer in writers]}
    with cursor() as cur:
        rows = cur.execute(_AGES, parameters).fetchall()
    return [
        OpenAppend(Holder(name, pid, gid), state or "prepared", seconds)
        for name, pid, gid, state, seconds in rows
        if seconds > longer_than
    ]
