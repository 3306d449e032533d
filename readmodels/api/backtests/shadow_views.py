"""The shadows of risk policies: all of them, and one with its days."""

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from payments import permissions
from payments.api.representation import json_response
from payments.clients.models import Scope
from readmodels.api import cursors, parameters
from readmodels.api.backtests import shadow_operations as operations
from readmodels.api.backtests.shadow_representation import ShadowPage, ShadowView, with_days
from readmodels.api.backtests.views import SEE_BACKTESTS, PolicyKeyView, page, person
from readmodels.backtests import shadows
from readmodels.backtests.models import Shadow, ShadowState


class Shadows(PolicyKeyView):
    """List shadows."""

    scopes: ClassVar = {"GET": Scope.POLICIES_READ}

    @extend_schema(**operations.LIST)
    def get(self, request: Request) -> HttpResponse:
        given = parameters.read(
            request,
            {
                "state": parameters.choice(*ShadowState.values),
                "policy_id": parameters.text,
                "cursor": cursors.decode,
                "limit": parameters.whole(1, parameters.LONGEST_PAGE),
            },
        )
        permissions.require(person(request), SEE_BACKTESTS)
        rows = Shadow.objects.defer("candidate")
        found, next_cursor = page(request, given, rows, ("started_at", "id"))
        figures = shadows.figures([each.pk for each in found])
        views = [ShadowView.of(each, figures[each.pk]) for each in found]
        return json_response(ShadowPage(views, next_cursor))


class OneShadow(PolicyKeyView):
    """Show a shadow with its days."""

    scopes: ClassVar = {"GET": Scope.POLICIES_READ}

    @extend_schema(**operations.READ)
    def get(self, request: Request, shadow_id: UUID) -> HttpResponse:
        parameters.read(request, {})
        permissions.require(person(request), SEE_BACKTESTS)
        return json_response(with_days(shadows.find(shadow_id)))
