"""Empty: readmodels.roles grants permissions to roles after each migrate."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0019_cards"),
        ("axes", "0010_accessattemptexpiration"),
    ]
    operations = []
