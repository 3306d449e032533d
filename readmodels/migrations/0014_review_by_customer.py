from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0013_rebuild_runs"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                condition=models.Q(("status", "pending_review")),
                fields=["customer_id", "review_deadline", "payment_id"],
                name="review_by_customer",
            ),
        ),
    ]
