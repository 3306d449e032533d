"""Customers: the one place where names and addresses are, and where they are changed."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from payments import pseudonyms
from payments.clients.models import Client
from payments.customers.models import Customer
from readmodels.admin.browsing import BrowsingAdmin


@admin.register(Customer)
class CustomerAdmin(BrowsingAdmin):
    list_display = ("reference", "name", "email", "client", "created_at")
    list_select_related = ("client",)
    search_fields = ("name",)  # see find
    search_help_text = "Reference, beginning of a name"
    fields = ("client", "reference", "name", "email", "created_at", "payments")
    readonly_fields = ("client", "reference", "created_at", "payments")

    @display(description="Payments")
    def payments(self, row: Customer) -> str:
        url = reverse("admin:readmodels_paymentsummary_changelist")
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500 underline" href="{}?q={}">Show</a>',
            url,
            row.reference,
        )

    def find(self, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By the reference, which is hashed with its client, or by the beginning of a name."""
        hashed = [
            pseudonyms.customer_id(client_id, term)
            for client_id in Client.objects.values_list("pk", flat=True)
        ]
        named = ~Q(name="") & (Q(name__startswith=term) | Q(name__startswith=term.title()))
        return rows.filter(Q(pk__in=hashed) | named)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.change_customer")
