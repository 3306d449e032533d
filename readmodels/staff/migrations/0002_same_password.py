from pathlib import Path

from django.db import migrations, models

from payments.schema import run_sql

SQL = Path(__file__).with_name("sql")


class Migration(migrations.Migration):
    dependencies = [("staff", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="staffchange",
            name="kind",
            field=models.CharField(
                choices=[
                    ("added", "Account added"),
                    ("deleted", "Unused account deleted"),
                    ("renamed", "Username changed"),
                    ("named", "Name changed"),
                    ("activated", "Activated"),
                    ("deactivated", "Deactivated"),
                    ("sign_in", "Access to the back office changed"),
                    ("superuser", "Superuser changed"),
                    ("password", "Password changed"),
                    ("rehashed", "Same password stored with a stronger hash"),
                    ("role_added", "Role given"),
                    ("role_removed", "Role taken"),
                    ("permission_added", "Single permission given"),
                    ("permission_removed", "Single permission taken"),
                ],
                max_length=20,
            ),
        ),
        run_sql(SQL / "same_password.sql"),
    ]
