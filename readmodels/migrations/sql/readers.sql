-- Count the projections among the readers of the log: no event may be appended behind a checkpoint.
CREATE OR REPLACE VIEW {schema}.events_reader AS
SELECT 'the last seal'::text AS name, sealed_position AS position, NULL::bigint AS needed, NULL::text AS repair
  FROM {schema}.events_log
 UNION ALL
SELECT name, position, position, 'manage.py rebuild_projections ' || name FROM {schema}.readmodels_checkpoint
