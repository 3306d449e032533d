-- Keep the record of exports: who asked for what, when, and the result. The reason may be erased.

CREATE FUNCTION exports_export_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'Export % is a permanent record', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  IF (OLD.id, OLD.kind, OLD.format, OLD.subject, OLD.version, OLD.query, OLD.requested_by, OLD.requested_at)
     IS DISTINCT FROM
     (NEW.id, NEW.kind, NEW.format, NEW.subject, NEW.version, NEW.query, NEW.requested_by, NEW.requested_at)
     OR (NEW.reason <> OLD.reason AND NEW.reason <> '')
     OR (OLD.finished_at IS NOT NULL AND
         (OLD.state, OLD.rows, OLD.position, OLD.digest, OLD.finished_at)
         IS DISTINCT FROM (NEW.state, NEW.rows, NEW.position, NEW.digest, NEW.finished_at)) THEN
    RAISE EXCEPTION 'Export % is a permanent record', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER exports_export_permanent BEFORE UPDATE OR DELETE ON exports_export
FOR EACH ROW EXECUTE FUNCTION exports_export_refuse_change();

CREATE FUNCTION exports_export_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'Exports are a permanent record' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER exports_export_kept BEFORE TRUNCATE ON exports_export
FOR EACH STATEMENT EXECUTE FUNCTION exports_export_refuse_truncate();
