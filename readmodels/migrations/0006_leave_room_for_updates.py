"""Leave room in the pages of rows that change often, and clean up after them before they have grown."""

from django.db import migrations

FORWARDS = """
ALTER TABLE readmodels_paymentsummary SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE readmodels_dailystatistics SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE readmodels_customeractivity SET (fillfactor = 90);
ALTER TABLE readmodels_checkpoint SET (fillfactor = 10);
"""
BACKWARDS = """
ALTER TABLE readmodels_paymentsummary RESET (fillfactor, autovacuum_vacuum_scale_factor);
ALTER TABLE readmodels_dailystatistics RESET (fillfactor, autovacuum_vacuum_scale_factor);
ALTER TABLE readmodels_customeractivity RESET (fillfactor);
ALTER TABLE readmodels_checkpoint RESET (fillfactor);
"""


class Migration(migrations.Migration):
    dependencies = [("readmodels", "0005_event_index")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
