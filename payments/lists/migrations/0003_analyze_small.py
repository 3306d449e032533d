from pathlib import Path

from django.db import migrations

from payments.schema import run_sql

SQL = Path(__file__).with_name("sql")


class Migration(migrations.Migration):
    dependencies = [("lists", "0002_removed_entries")]

    operations = [run_sql(SQL / "small.sql")]
