-- A password that is stored again with a stronger hash is not a new one. The sign-in names the new hash.
CREATE OR REPLACE FUNCTION staff_record_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  person auth_user;
BEGIN
  IF TG_OP = 'DELETE' THEN person := OLD; ELSE person := NEW; END IF;
  INSERT INTO staff_staffchange (staff, username, kind, before, after, by, at)
  SELECT person.id, person.username, changed.kind, changed.before, changed.after, staff_actor(), clock_timestamp()
    FROM (
      SELECT 'added' AS kind, '' AS before, '' AS after WHERE TG_OP = 'INSERT'
      UNION ALL SELECT 'superuser', '', 'yes' WHERE TG_OP = 'INSERT' AND person.is_superuser
      UNION ALL SELECT 'deleted', '', '' WHERE TG_OP = 'DELETE'
      UNION ALL SELECT 'renamed', OLD.username, NEW.username
                 WHERE TG_OP = 'UPDATE' AND OLD.username <> NEW.username
      UNION ALL SELECT 'named', trim(OLD.first_name || ' ' || OLD.last_name), trim(NEW.first_name || ' ' || NEW.last_name)
                 WHERE TG_OP = 'UPDATE' AND (OLD.first_name, OLD.last_name) <> (NEW.first_name, NEW.last_name)
      UNION ALL SELECT CASE WHEN NEW.is_active THEN 'activated' ELSE 'deactivated' END, '', ''
                 WHERE TG_OP = 'UPDATE' AND OLD.is_active <> NEW.is_active
      UNION ALL SELECT 'sign_in', CASE WHEN OLD.is_staff THEN 'yes' ELSE 'no' END, CASE WHEN NEW.is_staff THEN 'yes' ELSE 'no' END
                 WHERE TG_OP = 'UPDATE' AND OLD.is_staff <> NEW.is_staff
      UNION ALL SELECT 'superuser', CASE WHEN OLD.is_superuser THEN 'yes' ELSE 'no' END, CASE WHEN NEW.is_superuser THEN 'yes' ELSE 'no' END
                 WHERE TG_OP = 'UPDATE' AND OLD.is_superuser <> NEW.is_superuser
      UNION ALL SELECT CASE WHEN current_setting('payments.same_password', true) = NEW.password THEN 'rehashed' ELSE 'password' END, '', ''
                 WHERE TG_OP = 'UPDATE' AND OLD.password <> NEW.password
    ) AS changed;
  RETURN NULL;
END
$$;
