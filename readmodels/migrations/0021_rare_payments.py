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
                condition=models.Q(("risk_band", "medium"), ("risk_band", "high"), _connector="OR"),
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
                    models.Q(
                        ("status", "completed"), ("status", "partially_refunded"), _connector="OR"
                    ),
                    models.Q(("method", "credit_card"), ("method", "debit_card"), _connector="OR"),
                ),
                fields=["customer_id"],
                name="payment_paid_by_card",
            ),
        ),
    ]
