"""A permission to make, rotate and revoke API keys."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("clients", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="apikey",
            options={
                "default_permissions": ("view",),
                "permissions": (("manage_apikey", "Can make, rotate and revoke API keys"),),
                "verbose_name": "API key",
            },
        ),
    ]
