import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("clients", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Customer",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                (
                    "reference",
                    models.CharField(
                        editable=False,
                        help_text="The client's own id. None: erased.",
                        max_length=255,
                        null=True,
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=200)),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="clients.client",
                    ),
                ),
                ("blocked", models.BooleanField(db_default=False, default=False)),
                ("phone", models.CharField(blank=True, db_default="", default="", max_length=20)),
                ("erased_at", models.DateTimeField(null=True)),
                (
                    "erased_by",
                    models.CharField(blank=True, db_default="", default="", max_length=100),
                ),
                (
                    "erasure_reason",
                    models.CharField(blank=True, db_default="", default="", max_length=500),
                ),
            ],
            options={
                "permissions": (
                    ("block_customer", "Can block and unblock customers"),
                    ("erase_customer", "Can erase customers"),
                ),
                "default_permissions": ("view", "change"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("name", ""), _negated=True),
                        fields=["name"],
                        name="customer_by_name",
                        opclasses=("text_pattern_ops",),
                    ),
                    models.Index(fields=["-created_at", "-id"], name="customer_by_time"),
                    models.Index(
                        condition=models.Q(("blocked", True)),
                        fields=["-created_at", "-id"],
                        name="customer_blocked_by_time",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("client", "reference"), name="customers_customer_reference"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("payment_id", models.UUIDField(db_index=True, null=True)),
                ("author", models.CharField(max_length=100)),
                ("salt", models.BinaryField()),
                ("text", models.TextField()),
                ("written_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": ("view",),
            },
        ),
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
                ("reason", models.CharField(max_length=50)),
                ("actor", models.CharField(max_length=100)),
                ("at", models.DateTimeField()),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="blockings",
                        to="customers.customer",
                    ),
                ),
                ("note_id", models.UUIDField(null=True)),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["customer", "-at", "-id"], name="blocking_by_customer")
                ],
            },
        ),
        migrations.CreateModel(
            name="PseudonymKey",
            fields=[
                ("key_id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("check_value", models.CharField(max_length=64)),
            ],
            options={
                "default_permissions": (),
            },
        ),
    ]
