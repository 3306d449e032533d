-- Readers follow positions, so they would miss an event that was inserted with a position of its own.
ALTER TABLE events_event ALTER COLUMN position SET GENERATED ALWAYS;

-- History is corrected by further events only. Triggers for each statement also refuse statements that match no
-- row, and cost an insert nothing.
CREATE FUNCTION events_event_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events_event is append-only: % refused', TG_OP
    USING ERRCODE = 'restrict_violation', HINT = 'Append a correcting event instead.';
END
$$;
CREATE TRIGGER events_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events_event
FOR EACH STATEMENT EXECUTE FUNCTION events_event_refuse_change();

-- Seals reveal changes that these triggers could not refuse.
CREATE FUNCTION events_seal_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events_seal is append-only: % refused', TG_OP
    USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER events_seal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events_seal
FOR EACH STATEMENT EXECUTE FUNCTION events_seal_refuse_change();
