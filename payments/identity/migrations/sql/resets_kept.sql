-- Keep who requested a reset, and who decided it.
CREATE FUNCTION identity_factorreset_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.decided_at IS NULL
     AND (OLD.id, OLD.staff_id, OLD.reason, OLD.asked_by_id, OLD.asked_at)
       = (NEW.id, NEW.staff_id, NEW.reason, NEW.asked_by_id, NEW.asked_at) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'A reset of a second factor is a permanent record: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER identity_factorreset_permanent BEFORE UPDATE OR DELETE ON identity_factorreset
FOR EACH ROW EXECUTE FUNCTION identity_factorreset_refuse_change();
CREATE TRIGGER identity_factorreset_kept BEFORE TRUNCATE ON identity_factorreset
FOR EACH STATEMENT EXECUTE FUNCTION identity_factorreset_refuse_change();
