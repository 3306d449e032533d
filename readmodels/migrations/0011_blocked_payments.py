"""Let a payment fail because the risk policy blocks it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0010_roles_block_customers"),
    ]

    operations = [
        migrations.AlterField(
            model_name="paymentsummary",
            name="failure_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("method_limit_exceeded", "Method limit exceeded"),
                    ("blocked_by_policy", "Blocked by policy"),
                ],
                max_length=50,
            ),
        ),
    ]
