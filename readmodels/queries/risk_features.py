"""Read a customer's risk features in one query."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import sql

from payments.application.ports import KnownCustomer
from payments.database import execute
from payments.domain.list_items import ListMatch, ListName
from payments.domain.risk.conditions import RiskFeatures, Velocity
from payments.domain.risk.register import REGISTER
from payments.domain.risk.windows import DAY, HOUR
from readmodels.models.projections import CARD_METHODS, PAID
from readmodels.projections import customer_activity, payment_summary


def _list(*values: str) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Literal, values))


# Constants are part of the statement, because adapting parameters takes time for each payment.
#
# `blocked` is NULL if the customer is not registered. The features cover the events that both
# projections have read. Their age is the waiting time of the oldest event that one of them misses,
# 0 if none. Counts are over all currencies, volumes over the payment's currency.
#
# The plan of the lookup in lists must suit any number of keys and entries. (SELECT ...) hides the
# number of keys from the planner. Otherwise it would plan the statement again for each payment with
# few keys, which takes ten times as long as the lookup. The entries of an archived list have a
# `to_position`, so the condition on `archived_at` excludes no entry. It only makes reading many
# entries look expensive, so that the planner uses the index even for a small table.
_FEATURES: Final = (
    sql.SQL(r"""
SELECT (SELECT blocked FROM customers_customer WHERE id = %(customer_id)s),
       EXISTS (SELECT FROM readmodels_paymentsummary
                WHERE customer_id = %(customer_id)s AND status IN ({paid})
                  AND method IN ({cards})),
       covered.position,
       coalesce((SELECT (extract(epoch FROM clock_timestamp() - recorded_at) * 1000)::bigint
                   FROM events_event WHERE position > covered.position ORDER BY position LIMIT 1),
                   0),
       register.active, coalesce(register.position, 0),
       array_to_string(ARRAY(
         SELECT (SELECT name || ' ' || version FROM lists_risklist WHERE id = entry.list_id)
           FROM lists_entry AS entry
          WHERE key = ANY((SELECT string_to_array(%(keys)s, E'\n'))::text[])
            AND to_position IS NULL
            AND (expires_at IS NULL OR expires_at > %(at)s)
            AND (SELECT archived_at IS NULL FROM lists_risklist WHERE id = entry.list_id)), ','),
       activity.*
  FROM (SELECT CASE WHEN count(*) = 2 THEN min(position) ELSE 0 END AS position
          FROM readmodels_checkpoint WHERE name IN ({projections})) AS covered
       LEFT JOIN (SELECT data ->> 'active' AS active, position FROM events_event
                   WHERE aggregate_id = {register} ORDER BY version DESC LIMIT 1) AS register
              ON true,
       (SELECT coalesce(sum(initiated_count)
                          FILTER (WHERE bucket > %(at)s::timestamptz - {hour}), 0)::bigint,
               coalesce(sum(initiated_volume)
                          FILTER (WHERE bucket > %(at)s::timestamptz - {hour}
                                    AND currency = %(currency)s), 0)::bigint,
               coalesce(sum(initiated_count), 0)::bigint,
               coalesce(sum(initiated_volume) FILTER (WHERE currency = %(currency)s), 0)::bigint
          FROM readmodels_customeractivity
         WHERE customer_id = %(customer_id)s
           AND bucket > %(at)s::timestamptz - {day} AND bucket <= %(at)s) AS activity
""")
    .format(
        register=REGISTER,
        # This must be exactly the condition of the partial index, which has few rows per customer.
        paid=_list(*PAID),
        cards=_list(*CARD_METHODS),
        projections=_list(payment_summary.PROJECTION.name, customer_activity.PROJECTION.name),
        hour=HOUR,
        day=DAY,
    )
    .as_string()
)


def of_customer(
    customer_id: UUID, *, currency: str, item_keys: Sequence[str], at: datetime
) -> KnownCustomer:
    """Return the features of a known or new customer at `at`, in one round trip.

    `item_keys` are the keys under which lists may contain the payment.
    """
    parameters = {
        "customer_id": customer_id,
        "currency": currency,
        # One text, because adapting an array takes longer. No key contains a line break.
        "keys": "\n".join(item_keys),
        "at": at,
    }
    (row,) = execute(_FEATURES, parameters)  # aggregates without GROUP BY always return one row
    blocked, paid_by_card_before, position, age_ms, policy_id, register_position, *found = row
    matches, *activity = found
    registered = blocked is not None
    count_1h, volume_1h, count_24h, volume_24h = activity
    return KnownCustomer(
        registered,
        RiskFeatures(
            paid_by_card_before=paid_by_card_before,
            position=position,
            age_ms=max(age_ms, 0),
            new_customer=not registered,
            blocked=bool(blocked),
            velocity=Velocity(
                count_1h=count_1h,
                volume_1h=volume_1h,
                count_24h=count_24h,
                volume_24h=volume_24h,
            ),
            lists=_matches(matches),
        ),
        policy_id,
        register_position,
    )


def _matches(found: str) -> tuple[ListMatch, ...]:
    """Return the lists of "NAME VERSION,NAME VERSION", each once, in the order of their names."""
    if not found:
        return ()
    pairs = (each.split(" ") for each in sorted(set(found.split(","))))
    return tuple(ListMatch(ListName(name), int(version)) for name, version in pairs)
