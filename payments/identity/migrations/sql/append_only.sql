-- Auditors rely on the record of changes to how staff sign in.
CREATE FUNCTION identity_securityrecord_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'identity_securityrecord is append-only: % refused', TG_OP
    USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER identity_securityrecord_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON identity_securityrecord
FOR EACH STATEMENT EXECUTE FUNCTION identity_securityrecord_refuse_change();
