"""Keep the row of an erased customer: without a reference, with when, why and by whom."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0003_contacts_and_blocks"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="customer",
            options={
                "default_permissions": ("view", "change"),
                "permissions": (
                    ("block_customer", "Can block and unblock customers"),
                    ("erase_customer", "Can erase customers"),
                ),
            },
        ),
        migrations.AddField(
            model_name="customer",
            name="erased_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="customer",
            name="erased_by",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.AddField(
            model_name="customer",
            name="erasure_reason",
            field=models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
        migrations.AlterField(
            model_name="customer",
            name="reference",
            field=models.CharField(
                editable=False,
                help_text="The client's own id. None: erased.",
                max_length=255,
                null=True,
            ),
        ),
    ]
