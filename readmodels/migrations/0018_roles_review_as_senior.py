"""Empty: readmodels.roles grants permissions to roles after each migrate."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("readmodels", "0017_claims_and_four_eyes"),
        ("events", "0007_senior_reviewers"),
    ]
    operations = []
