-- Refuse to delete staff whom the evidence names: their names would be missing from it.

-- Staff who have signed in may have acted. The log has no index by actor, so it is searched last, and only for an
-- account that was never used.
CREATE FUNCTION staff_is_in_evidence(staff integer) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM auth_user WHERE id = staff AND last_login IS NOT NULL)
      OR EXISTS (SELECT FROM clients_apikey WHERE staff_id = staff)
      OR EXISTS (SELECT FROM customers_note WHERE author = 'staff:' || staff)
      OR EXISTS (SELECT FROM customers_blocking WHERE actor = 'staff:' || staff)
      OR EXISTS (SELECT FROM customers_customer WHERE erased_by = 'staff:' || staff)
      OR EXISTS (SELECT FROM readmodels_discardedevent WHERE discarded_by = 'staff:' || staff)
      OR EXISTS (SELECT FROM events_event WHERE metadata ->> 'actor' = 'staff:' || staff)
$$;
CREATE FUNCTION auth_user_refuse_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF staff_is_in_evidence(OLD.id) THEN
    RAISE EXCEPTION 'The evidence names staff:%, so the account cannot be deleted', OLD.id
      USING ERRCODE = 'restrict_violation', HINT = 'Set is_active to false instead.';
  END IF;
  RETURN OLD;
END
$$;
CREATE TRIGGER auth_user_in_evidence BEFORE DELETE ON auth_user
FOR EACH ROW EXECUTE FUNCTION auth_user_refuse_deletion();
