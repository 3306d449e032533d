CREATE FUNCTION exports_export_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'Exports are a permanent record' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER exports_export_kept BEFORE TRUNCATE ON exports_export
FOR EACH STATEMENT EXECUTE FUNCTION exports_export_refuse_truncate();
