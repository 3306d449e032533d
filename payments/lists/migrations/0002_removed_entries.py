from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("lists", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="entry",
            index=models.Index(
                condition=models.Q(("to_position__isnull", False)),
                fields=["key", "to_position"],
                name="lists_entry_removed",
            ),
        )
    ]
