"""Find the reviews that are due by an index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0015_roles_manage_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="paymentsummary",
            name="review_deadline",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name="paymentsummary",
            index=models.Index(
                condition=models.Q(("status", "pending_review")),
                fields=["review_deadline", "payment_id"],
                name="payment_by_deadline",
            ),
        ),
    ]
