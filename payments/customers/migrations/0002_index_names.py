"""Find customers by the beginning of their names; those without a name cost nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial")]
    operations = [
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(
                condition=models.Q(("name", ""), _negated=True),
                fields=["name"],
                name="customer_by_name",
                opclasses=("text_pattern_ops",),
            ),
        ),
    ]
