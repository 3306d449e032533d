-- Leave room in the pages of rows that change often, and vacuum these tables before they have grown.
ALTER TABLE readmodels_paymentsummary SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE readmodels_dailystatistics SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE readmodels_customeractivity SET (fillfactor = 90);
ALTER TABLE readmodels_checkpoint SET (fillfactor = 10);
