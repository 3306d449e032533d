"""Make, forge and verify evidence packs."""

import json
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from payments.events.seals import keys, sealing, verify_pack
from payments.events.seals.verify_pack import Report
from readmodels.evidence import gathering
from readmodels.evidence.gathering import Evidence
from tests.support.backoffice import browser
from tests.support.examples import NOON, OPERATOR
from tests.support.reviewing import do, waiting

NOTE: Final = "Called back: it is “fine”. שלום"
VERIFIER: Final = Path(verify_pack.__file__)


def decided() -> UUID:
    """Return a payment that grace approved with a note."""
    (payment,) = waiting()
    do(browser(), payment, "approve", note=NOTE)
    return UUID(payment)


def make(payment: UUID, **changes: Any) -> Evidence:
    """Seal the log. Return the payment's evidence pack, as an operator makes it."""
    list(sealing.seal_all())
    return make_unsealed(payment, **changes)


def make_unsealed(payment: UUID, **changes: Any) -> Evidence:
    given: dict[str, Any] = {"decision": None, "reason": "Case 4711", "by": OPERATOR, "at": NOON}
    return gathering.make(payment, **given | changes)


def public_key() -> str:
    return keys.public_key(keys.signing_key())


def verify(raw: bytes) -> Report:
    return verify_pack.verify(raw, [public_key()])


def forged(raw: bytes, change: Any) -> bytes:
    """Return the pack after `change`, with new digests, as a forger would write it."""
    pack = json.loads(raw)
    change(pack)
    members = {name: value for name, value in pack.items() if name != "digests"}
    digests = {name: verify_pack.digest(value) for name, value in members.items()}
    return verify_pack.render({**members, "digests": digests})
