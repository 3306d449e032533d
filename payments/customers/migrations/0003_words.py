import django.contrib.postgres.search
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0002_staff_mentions"),
    ]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="words",
            field=django.contrib.postgres.search.SearchVectorField(editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("erased_at__isnull", True), ("words__isnull", True), _connector="OR"
                ),
                name="customer_erased_without_words",
            ),
        ),
    ]
