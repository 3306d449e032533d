"""What the views of the API have in common."""

from typing import ClassVar

from rest_framework.views import APIView

from payments.clients.models import Scope


class KeyView(APIView):
    """An address that needs a key. `scopes` names, by HTTP method, what the key must be good for."""

    scopes: ClassVar[dict[str, Scope]]
    # Without "options", which the framework would announce and we do not answer.
    http_method_names = ["get", "head", "post"]


class PublicView(APIView):
    """An address for everybody, which the OpenAPI document leaves out."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    http_method_names = ["get", "head"]
    schema = None
