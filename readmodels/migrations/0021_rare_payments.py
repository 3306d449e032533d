"""Find payments by what few of them are: in a currency, risky, reviewed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0020_roles_see_sign_ins"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                fields=["currency", "-initiated_at", "-payment_id"], name="payment_by_currency"
            ),
        ),
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                condition=models.Q(("risk_band__in", ("medium", "high"))),
                fields=["risk_band", "-initiated_at", "-payment_id"],
                name="payment_by_band",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                condition=models.Q(("requires_review", True)),
                fields=["-initiated_at", "-payment_id"],
                name="payment_reviewed",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                condition=models.Q(
                    ("method__in", ("credit_card", "debit_card")),
                    ("status__in", ("completed", "partially_refunded")),
                ),
                fields=["customer_id"],
                name="payment_paid_by_card",
            ),
        ),
    ]
