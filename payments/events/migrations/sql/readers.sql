-- Refuse an append at a position that a reader of the log has passed: no reader would ever read the event.

-- The readers of the log. An app that reads it replaces the view, and adds its own. The log must hold the event at
-- `needed`; if it does not, `repair` is the command to run.
CREATE VIEW {schema}.events_reader AS
SELECT 'the last seal'::text AS name, sealed_position AS position, NULL::bigint AS needed, NULL::text AS repair
  FROM {schema}.events_log;

-- Functions that write, or that any role may call, run as their owner, with the search path of the tables.
CREATE FUNCTION {schema}.events_log_identity() RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM events_log) THEN
    -- The row was not restored, but the seals name the identity of the log.
    INSERT INTO events_log (identity, sealed_number, sealed_position)
    SELECT coalesce((statement::json ->> 'log')::uuid, gen_random_uuid()), number,
           (statement::json ->> 'last')::bigint
      FROM events_seal ORDER BY number DESC LIMIT 1 ON CONFLICT DO NOTHING;
  END IF;
  INSERT INTO events_log DEFAULT VALUES ON CONFLICT DO NOTHING;
  RETURN (SELECT identity FROM events_log);
END
$$;

-- Remember the last seal, to notice if a restore loses it.
CREATE FUNCTION {schema}.events_seal_remember() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
  INSERT INTO events_log AS log (identity, sealed_number, sealed_position)
  VALUES (coalesce((NEW.statement::json ->> 'log')::uuid, gen_random_uuid()), NEW.number,
          (NEW.statement::json ->> 'last')::bigint)
      ON CONFLICT (id) DO UPDATE
     SET sealed_number = greatest(log.sealed_number, excluded.sealed_number),
         sealed_position = greatest(log.sealed_position, excluded.sealed_position);
  RETURN NULL;
END
$$;
CREATE TRIGGER events_seal_remember AFTER INSERT ON {schema}.events_seal
FOR EACH ROW EXECUTE FUNCTION {schema}.events_seal_remember();

-- What contradicts the log, with the statement or command that repairs it.
CREATE FUNCTION {schema}.events_log_problems()
RETURNS TABLE (code text, problem text, repair text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
  given bigint := (SELECT last_value - (NOT is_called)::int FROM events_event_position_seq);
  reached bigint := greatest((SELECT max(position) FROM events_event),
                             (SELECT max(reader.position) FROM events_reader AS reader), 0);
BEGIN
  IF EXISTS (SELECT FROM pg_sequence WHERE seqrelid = 'events_event_position_seq'::regclass
                AND (seqincrement <> 1 OR seqcache <> 1 OR seqcycle OR seqmax <> 9223372036854775807)) THEN
    RETURN QUERY SELECT 'sequence_altered',
      'The sequence of the positions does not count up one by one, or has a limit of its own.',
      'ALTER SEQUENCE events_event_position_seq AS bigint INCREMENT BY 1 NO MAXVALUE CACHE 1 NO CYCLE;';
  END IF;
  IF given < reached THEN
    RETURN QUERY SELECT 'sequence_behind',
      format('The log, its seals or its readers have reached position %s, which their sequence is'
             ' behind.', reached),
      format('SELECT setval(''events_event_position_seq'', %s);', reached);
  END IF;
  RETURN QUERY
    SELECT 'log_behind',
           format('The log holds no event at position %s, up to which %s has read it: it was'
                  ' restored to an older state than its reader.', reader.position, reader.name),
           reader.repair
      FROM events_reader AS reader
     WHERE reader.needed > 0
       AND NOT EXISTS (SELECT FROM events_event AS event WHERE event.position = reader.needed)
     ORDER BY reader.name;
  RETURN QUERY
    SELECT 'seals_missing',
           format('The log was sealed up to seal %s, which is missing.', sealed_number),
           'Restore the table events_seal from a backup. Only if its seals are lost: UPDATE events_log'
           ' SET sealed_number = (SELECT coalesce(max(number), 0) FROM events_seal);'
      FROM events_log
     WHERE sealed_number > 0
       AND NOT EXISTS (SELECT FROM events_seal AS seal WHERE seal.number = sealed_number);
END
$$;

-- Each append runs this function. It is fast because it runs as its caller, without a search path of its own (names
-- are qualified instead), and is STABLE, which saves a snapshot for each of its statements.
CREATE FUNCTION {schema}.events_event_refuse_behind() RETURNS trigger LANGUAGE plpgsql STABLE AS $$
DECLARE
  furthest bigint;
  needed_event bigint;
  needed_seal bigint;
  refused boolean;
  found record;
BEGIN
  SELECT max(position), max(needed), (SELECT sealed_number FROM {schema}.events_log)
    INTO furthest, needed_event, needed_seal FROM {schema}.events_reader;
  -- Separate statements, each in the order of an index: for a joint one the planner may read the whole log.
  refused := furthest >= (SELECT min(position) FROM appended);
  IF needed_event > 0 AND NOT refused THEN
    refused := NOT EXISTS (SELECT FROM {schema}.events_event WHERE position = needed_event);
  END IF;
  IF needed_seal > 0 AND NOT refused THEN
    refused := NOT EXISTS (SELECT FROM {schema}.events_seal WHERE number = needed_seal);
  END IF;
  IF refused THEN
    SELECT coalesce(string_agg(problem, ' '), 'A position was given out that readers have passed.') AS problems,
           coalesce(string_agg(repair, E'\n'), 'Append again.') AS repairs
      INTO found FROM {schema}.events_log_problems();
    RAISE EXCEPTION USING ERRCODE = 'LG001', MESSAGE = found.problems, HINT = found.repairs;
  END IF;
  RETURN NULL;
END
$$;
-- Once per statement, however many rows it has, over the positions that the rows really got.
CREATE TRIGGER events_event_refuse_behind AFTER INSERT ON {schema}.events_event
REFERENCING NEW TABLE AS appended
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.events_event_refuse_behind();
