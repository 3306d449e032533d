"""Fill the words, and index them without keeping payments from storing their customers."""

from typing import Any

import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Collate, Lower

from payments.customers.refilling import refill


def _fill(apps: Any, _schema_editor: Any) -> None:
    refill(apps.get_model("customers", "Customer"))


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("customers", "0003_words"),
    ]

    operations = [
        migrations.RunPython(_fill, migrations.RunPython.noop),
        AddIndexConcurrently(
            model_name="customer",
            index=django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(("words__isnull", False)),
                fastupdate=False,
                fields=["words"],
                name="customer_by_word",
            ),
        ),
        AddIndexConcurrently(
            model_name="customer",
            index=models.Index(
                Collate(Lower("reference"), "C"),
                condition=models.Q(("reference__isnull", False)),
                name="customer_by_reference",
            ),
        ),
        RemoveIndexConcurrently(model_name="customer", name="customer_by_name"),
    ]
