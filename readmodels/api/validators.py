"""ETags of what is read from a projection: as cheap as its checkpoint, and new whenever that moves."""

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
    """The ETag of the answer that `request` gets from `projection`.

    To be asked for before the rows are read: rows newer than their ETag are sent once more, rows older
    than it would be kept for good. It is weak, since other code may write the same rows with other bytes.
    Other clients' payments move it too; to count the changes of each client would cost every batch.
    """
    checkpoint = execute(_CHECKPOINT, {"projection": projection.name})
    if not checkpoint:
        return {}  # its first batch is to come
    ((position,),) = checkpoint
    # With the client: whoever changes keys must not be told that nothing has changed.
    seen = f"{projection.name} {position} {key_of(request).client_id} {request.get_full_path()}"
    return {"ETag": f'W/"{sha256(seen.encode()).hexdigest()[:_LENGTH]}"'}
