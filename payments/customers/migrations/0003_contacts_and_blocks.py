"""Note customers' telephone numbers, and who blocked them and why."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clients", "0001_initial"),
        ("customers", "0002_index_names"),
    ]

    operations = [
        migrations.CreateModel(
            name="Blocking",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("blocked", models.BooleanField()),
                ("reason", models.CharField(max_length=500)),
                ("actor", models.CharField(max_length=100)),
                ("at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.AlterModelOptions(
            name="customer",
            options={
                "default_permissions": ("view", "change"),
                "permissions": (("block_customer", "Can block and unblock customers"),),
            },
        ),
        migrations.AddField(
            model_name="customer",
            name="blocked",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="customer",
            name="phone",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(
                condition=models.Q(("blocked", True)), fields=["id"], name="customer_blocked"
            ),
        ),
        migrations.AddField(
            model_name="blocking",
            name="customer",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="blockings",
                to="customers.customer",
            ),
        ),
        migrations.AddIndex(
            model_name="blocking",
            index=models.Index(fields=["customer", "-at", "-id"], name="blocking_by_customer"),
        ),
    ]
