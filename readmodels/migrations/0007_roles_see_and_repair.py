"""Empty: readmodels.roles grants permissions to roles after each migrate."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("readmodels", "0006_leave_room_for_updates")]
    operations = []
