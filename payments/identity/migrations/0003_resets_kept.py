from pathlib import Path

from django.db import migrations

from payments.schema import run_sql

SQL = Path(__file__).with_name("sql")


class Migration(migrations.Migration):
    dependencies = [("identity", "0002_sessions")]

    operations = [run_sql(SQL / "resets_kept.sql")]
