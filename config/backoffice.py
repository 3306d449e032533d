"""The appearance and the menu of the back office: unfold's settings."""

from typing import Any, Final

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may_view(permission: str) -> Any:
    def allowed(request: HttpRequest) -> bool:
        return request.user.has_perm(permission)

    return allowed


def _static(path: str) -> Any:
    return lambda _: static(path)


_STYLES: Final = (
    "colors",
    "page",
    "backoffice",
    "payment",
    "figures",
    "search",
    "queue",
    "bulk",
    "notes",
    "policies",
    "backtests",
    "account",
)


def _item(title: str, icon: str, name: str, permission: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{name}_changelist"),
        "permission": _may_view(permission),
    }


UNFOLD: Final[dict[str, Any]] = {
    "SITE_TITLE": "Payments review",
    "SITE_HEADER": "Payments review",
    "SITE_SYMBOL": "account_balance",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _: static("readmodels/favicon.svg"),
        }
    ],
    "STYLES": [_static(f"readmodels/{name}.css") for name in _STYLES],
    "SCRIPTS": [
        _static(f"readmodels/{name}.js")
        for name in (
            *("menu", "times", "copy", "search"),
            *("shortcuts", "claim_end", "polling", "bulk"),
        )
    ],
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_HISTORY": False,
    "DASHBOARD_CALLBACK": "readmodels.admin.dashboard.context",
    # The colors are in colors.css, because pages must not have inline styles.
    "COLORS": lambda _: {},
    # The template adds "Change password" and "Sign out".
    "ACCOUNT": {"navigation": [{"title": "Your account", "link": reverse_lazy("account")}]},
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {
                "title": "Payments",
                "items": [
                    {
                        "title": "Dashboard",
                        "icon": "dashboard",
                        "link": reverse_lazy("admin:index"),
                    },
                    {
                        "title": "Review queue",
                        "icon": "flag",
                        "link": reverse_lazy("review_queue"),
                        "active": "readmodels.admin.base.way_back.is_at_queue",
                        "permission": _may_view("readmodels.view_paymentsummary"),
                        "badge": "readmodels.admin.dashboard.waiting_badge",
                    },
                    {
                        "title": "Mentions",
                        "icon": "alternate_email",
                        "link": reverse_lazy("mentions"),
                        "permission": _may_view("customers.view_note"),
                        "badge": "readmodels.admin.review.mentions.badge",
                    },
                    {
                        **_item(
                            "All payments",
                            "payments",
                            "readmodels_paymentsummary",
                            "readmodels.view_paymentsummary",
                        ),
                        "active": "readmodels.admin.base.way_back.is_at_payments",
                    },
                    {
                        "title": "Disputes",
                        "icon": "gavel",
                        "link": reverse_lazy("disputes"),
                        "permission": _may_view("readmodels.view_disputesummary"),
                    },
                    {
                        "title": "Second reviews",
                        "icon": "rate_review",
                        "link": reverse_lazy("second_reviews"),
                        "permission": _may_view("readmodels.view_secondreview"),
                    },
                    {
                        "title": "Analytics",
                        "icon": "monitoring",
                        "link": reverse_lazy("analytics"),
                        "permission": _may_view("readmodels.view_dailystatistics"),
                    },
                    _item(
                        "Daily statistics",
                        "bar_chart",
                        "readmodels_dailystatistics",
                        "readmodels.view_dailystatistics",
                    ),
                    {
                        "title": "Risk policies",
                        "icon": "rule",
                        "link": reverse_lazy("policies"),
                        "permission": _may_view("events.see_policies"),
                    },
                    _item(
                        "Backtests",
                        "experiment",
                        "backtests_backtest",
                        "backtests.view_backtest",
                    ),
                    _item(
                        "Shadows",
                        "visibility",
                        "backtests_shadow",
                        "backtests.view_backtest",
                    ),
                    {
                        "title": "Lists",
                        "icon": "playlist_remove",
                        "link": reverse_lazy("lists"),
                        "permission": _may_view("events.see_policies"),
                    },
                ],
            },
            {
                "title": "People",
                "items": [
                    _item("Customers", "group", "customers_customer", "customers.view_customer"),
                    _item("API clients", "key", "clients_client", "clients.view_client"),
                    _item("Staff", "badge", "auth_user", "auth.view_user"),
                    _item("Sign-ins", "login", "axes_accesslog", "axes.view_accesslog"),
                    _item(
                        "Failed sign-ins",
                        "gpp_bad",
                        "axes_accessfailurelog",
                        "axes.view_accessfailurelog",
                    ),
                    _item(
                        "Account changes",
                        "manage_accounts",
                        "identity_securityrecord",
                        "identity.view_securityrecord",
                    ),
                    _item(
                        "Second-factor resets",
                        "lock_reset",
                        "identity_factorreset",
                        "identity.view_factorreset",
                    ),
                ],
            },
            {
                "title": "Webhooks",
                "items": [
                    _item(
                        "Webhook endpoints",
                        "webhook",
                        "webhooks_endpoint",
                        "webhooks.view_endpoint",
                    ),
                    _item("Delivery attempts", "send", "webhooks_attempt", "webhooks.view_attempt"),
                    _item(
                        "Held payments",
                        "pause_circle",
                        "webhooks_heldpayment",
                        "webhooks.view_heldpayment",
                    ),
                ],
            },
            {
                "title": "Evidence",
                "items": [
                    _item(
                        "Event log",
                        "receipt_long",
                        "readmodels_eventindex",
                        "readmodels.view_eventindex",
                    ),
                ],
            },
            {
                "title": "Operations",
                "items": [
                    _item(
                        "Projections",
                        "sync",
                        "readmodels_checkpoint",
                        "readmodels.view_checkpoint",
                    ),
                    _item(
                        "Rebuilds", "build", "readmodels_rebuildrun", "readmodels.view_rebuildrun"
                    ),
                    _item(
                        "Parked events",
                        "front_hand",
                        "readmodels_parkedevent",
                        "readmodels.view_parkedevent",
                    ),
                    _item("Exports", "download", "exports_export", "exports.view_export"),
                    {
                        **_item(
                            "Access to personal data",
                            "shield_person",
                            "readmodels_personalaccess",
                            "readmodels.view_personalaccess",
                        ),
                        "badge": "readmodels.admin.operations.accesses.badge",
                    },
                    _item(
                        "Discarded events",
                        "delete_history",
                        "readmodels_discardedevent",
                        "readmodels.view_discardedevent",
                    ),
                ],
            },
        ],
    },
}
