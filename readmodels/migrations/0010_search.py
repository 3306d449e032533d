from django.db import migrations, models
from django.db.models.functions import Collate, Lower


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0009_saved_views"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="paymentsummary",
            name="payment_by_reference",
        ),
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                Collate(Lower("reference"), "C"),
                condition=models.Q(("reference__isnull", False)),
                name="payment_by_folded_reference",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                fields=["currency", "amount", "-initiated_at", "-payment_id"],
                name="payment_by_amount",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                condition=models.Q(("card_last4__gt", "")),
                fields=["card_last4", "-initiated_at", "-payment_id"],
                name="payment_by_last4",
            ),
        ),
    ]
