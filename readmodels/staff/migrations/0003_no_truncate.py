from pathlib import Path

from django.db import migrations

from payments.schema import run_sql

SQL = Path(__file__).with_name("sql")


class Migration(migrations.Migration):
    dependencies = [("staff", "0002_same_password")]

    operations = [run_sql(SQL / "no_truncate.sql")]
