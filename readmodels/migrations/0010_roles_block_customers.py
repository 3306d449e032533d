"""Empty: readmodels.roles grants permissions to roles after each migrate."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0009_count_work"),
        ("customers", "0003_contacts_and_blocks"),
    ]
    operations = []
