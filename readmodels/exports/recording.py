"""Record exports: who took what, when and why."""

import logging
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from readmodels.exports.models import Export, Format, Kind, State

logger: Final = logging.getLogger(__name__)

EVIDENCE: Final = "exports.export_evidence"
LISTS: Final = "exports.export_lists"


def evidence(
    payment_id: UUID,
    *,
    decision: int | None,
    reason: str,
    by: str,
    at: datetime,
    events: int,
    position: int,
    digest: str,
) -> Export:
    """Record an evidence pack, before it is handed over. The caller has checked the permission."""
    export = Export.objects.create(
        kind=Kind.EVIDENCE,
        format=Format.ZIP,
        subject=payment_id,
        version=decision,
        reason=reason,
        requested_by=by,
        requested_at=at,
        state=State.DONE,
        rows=events,
        position=position,
        digest=digest,
        finished_at=at,
    )
    logger.info("The evidence of payment %s was exported by %s as %s.", payment_id, by, export.pk)
    return export


def evidence_of(payment_id: UUID) -> QuerySet[Export]:
    """Return the evidence packs of a payment, the newest first."""
    return Export.objects.filter(subject=payment_id).order_by("-requested_at", "-id")


def of_list(
    kind: Kind,
    *,
    query: str,
    format: Format,  # noqa: A002 - the name of the column
    with_bom: bool,
    in_background: bool,
    by: str,
    at: datetime,
) -> Export:
    """Record an export of a list, before its first row is read. The caller has checked the permissions."""
    export = Export.objects.create(
        kind=kind,
        format=format,
        with_bom=with_bom,
        query=query,
        requested_by=by,
        requested_at=at,
        state=State.QUEUED if in_background else State.RUNNING,
        in_background=in_background,
    )
    logger.info("The list %s was exported by %s as %s.", kind, by, export.pk)
    return export
