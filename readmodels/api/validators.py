"""ETags for answers from a projection. They hash its checkpoint, so they change when it moves."""

from hashlib import sha256
from typing import Final

from rest_framework.request import Request

from payments.api.http.authentication import key_of
from payments.database import execute
from readmodels.projections.kinds import Projection

_LENGTH: Final = 20

_CHECKPOINT: Final = """
SELECT concat_ws(' ', version, position, extract(epoch FROM updated_at))
  FROM readmodels_checkpoint WHERE name = %(projection)s
"""


def headers(projection: Projection, request: Request) -> dict[str, str]:
    """Return the ETag header for the answer to `request`, or no header before the first batch.

    Call this before reading the rows. Rows that are newer than the ETag are sent again; older ones
    would be cached permanently. The ETag is weak, because another version of the code may render
    the rows differently. Payments of other clients change it too: tracking changes per client would
    slow down every batch.
    """
    checkpoint = execute(_CHECKPOINT, {"projection": projection.name})
    if not checkpoint:
        return {}
    ((position,),) = checkpoint
    # Includes the client, because clients get different answers at the same address.
    seen = f"{projection.name} {position} {key_of(request).client_id} {request.get_full_path()}"
    return {"ETag": f'W/"{sha256(seen.encode()).hexdigest()[:_LENGTH]}"'}
