from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0005_snoozes_and_assignments"),
    ]

    operations = [
        migrations.AddField(
            model_name="paymentsummary",
            name="card_fingerprint",
            field=models.CharField(max_length=32, null=True),
        ),
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                condition=models.Q(("card_fingerprint__isnull", False)),
                fields=["card_fingerprint", "-initiated_at", "-payment_id"],
                name="payment_by_card",
            ),
        ),
    ]
