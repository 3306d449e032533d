"""Report each deadline level that a review reaches, once, in a counter and in a log line.

One statement finds, stores and counts the new levels. Two tasks at once, or a task that runs again
after a kill, therefore count nothing twice and miss nothing. A kill between logging and the commit
only repeats log lines.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from payments.database import execute
from payments.domain.payment.events import PaymentExpired
from readmodels.queries import deadlines

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 1_000
# Levels from here on are logged as warnings.
_URGENT: Final = 80
# How far back expired reviews are searched for, and how long the rows of ended reviews are kept.
_EXPIRED_WITHIN: Final = timedelta(days=1)
_KEPT: Final = timedelta(days=30)

# Reviews that expired before a task saw them overdue are found by their events. The order of the rows
# prevents deadlocks between two tasks.
_REPORT: Final = """
WITH waiting AS (
  SELECT payment_id, 100 * extract(epoch FROM %(at)s - flagged)
                       / greatest(extract(epoch FROM due - flagged), 1) AS used
    FROM (SELECT payment_id, review_deadline AS due, coalesce(flagged_at, initiated_at) AS flagged
            FROM readmodels_paymentsummary WHERE status = 'pending_review'
           ORDER BY review_deadline, payment_id LIMIT %(most)s) AS pending
), reached AS (
  SELECT payment_id, level FROM waiting JOIN unnest(%(levels)s::smallint[]) AS level ON used >= level
   UNION
  SELECT aggregate_id, level FROM readmodels_eventindex, unnest(%(levels)s::smallint[]) AS level
   WHERE event_type = %(expired)s AND recorded_at > %(since)s
), reported AS (
  INSERT INTO readmodels_reachedlevel (payment_id, level, at)
  SELECT payment_id, level, %(at)s FROM reached
   WHERE NOT EXISTS (SELECT FROM readmodels_reachedlevel AS known
                      WHERE known.payment_id = reached.payment_id AND known.level = reached.level)
   ORDER BY payment_id, level LIMIT %(at_once)s
  ON CONFLICT DO NOTHING
  RETURNING payment_id, level
), counted AS (
  INSERT INTO readmodels_reachedlevelcount AS before (level, reached)
  SELECT level, count(*) FROM reported GROUP BY level ORDER BY level
  ON CONFLICT (level) DO UPDATE SET reached = before.reached + EXCLUDED.reached
)
SELECT payment_id, level FROM reported ORDER BY payment_id, level
"""
_PRUNE: Final = """
DELETE FROM readmodels_reachedlevel
 WHERE (payment_id, level) IN (
         SELECT payment_id, level FROM readmodels_reachedlevel AS old
          WHERE at < %(before)s
            AND NOT EXISTS (SELECT FROM readmodels_paymentsummary AS payment
                             WHERE payment.payment_id = old.payment_id AND status = 'pending_review')
          LIMIT %(at_once)s)
"""


def report(at: datetime) -> int:
    """Report the levels that were reached since the last report. Return their number."""
    parameters: dict[str, object] = {
        "at": at,
        "levels": list(deadlines.LEVELS),
        "most": deadlines.MOST,
        "expired": PaymentExpired.event_type,
        "since": at - _EXPIRED_WITHIN,
        "at_once": _AT_ONCE,
    }
    reported = 0
    full = True
    while full:
        with transaction.atomic():
            found = execute(_REPORT, parameters)
            # Before the commit, because a repeated line is better than a lost one.
            for payment_id, level in found:
                urgency = logging.WARNING if level >= _URGENT else logging.INFO
                logger.log(
                    urgency, "Payment %s has used %d %% of its time for review.", payment_id, level
                )
        reported += len(found)
        full = len(found) == _AT_ONCE
    execute(_PRUNE, {"before": at - _KEPT, "at_once": _AT_ONCE})
    return reported
