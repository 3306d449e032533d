"""Sign messages as in Standard Webhooks 1.0: over `id.timestamp.body`, with every key in use."""

import base64
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def headers(
    message_id: str,
    at: datetime,
    body: bytes,
    *,
    secrets: Iterable[bytes],
    pairs: Sequence[Ed25519PrivateKey],
) -> dict[str, str]:
    """Return the headers of a message that is sent at `at`."""
    timestamp = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signatures = [
        *(("v1", hmac.digest(secret, signed, "sha256")) for secret in secrets),
        *(("v1a", pair.sign(signed)) for pair in pairs),
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(
            f"{version},{base64.b64encode(signature).decode()}" for version, signature in signatures
        ),
    }
