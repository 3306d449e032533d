"""Empty: readmodels.roles grants permissions to roles after each migrate."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0012_refunds"),
        ("events", "0006_manage_policies"),
    ]
    operations = []
