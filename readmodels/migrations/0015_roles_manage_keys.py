"""Empty: readmodels.roles grants permissions to roles after each migrate."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0014_index_policy_events"),
        ("clients", "0002_manage_keys"),
    ]
    operations = []
