"""Let each index of the events end in the order of their list, so that a time range narrows any of them."""

from django.db import migrations, models

_BEGINNINGS = {
    "event_by_type": ["event_type"],
    "event_by_actor": ["actor"],
    "event_by_aggregate": ["aggregate_id"],
    "event_by_correlation": ["correlation_id"],
    "event_by_time": [],
}
_CORRELATED = models.Q(correlation_id__isnull=False)


def _index(name: str) -> models.Index:
    return models.Index(
        fields=[*_BEGINNINGS[name], "-recorded_at", "-position"],
        name=name,
        condition=_CORRELATED if name == "event_by_correlation" else None,
    )


class Migration(migrations.Migration):
    dependencies = [("readmodels", "0007_roles_see_and_repair")]
    operations = [
        *(migrations.RemoveIndex("eventindex", name) for name in _BEGINNINGS),
        *(migrations.AddIndex("eventindex", _index(name)) for name in _BEGINNINGS),
        migrations.AlterModelOptions(
            "eventindex",
            {
                "default_permissions": ("view",),
                "ordering": ("-recorded_at", "-position"),
                "verbose_name": "event",
            },
        ),
    ]
