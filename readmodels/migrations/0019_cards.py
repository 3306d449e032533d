"""Show which card a payment was made with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0018_roles_review_as_senior"),
    ]

    operations = [
        migrations.AddField(
            model_name="paymentsummary",
            name="card_brand",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
        migrations.AddField(
            model_name="paymentsummary",
            name="card_last4",
            field=models.CharField(blank=True, db_default="", default="", max_length=4),
        ),
    ]
