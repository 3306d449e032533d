-- Record every change of staff accounts and of their roles, whoever makes it and however.

-- The actor, as a use case names it for its transaction; otherwise the role of the database.
CREATE FUNCTION staff_actor() RETURNS text LANGUAGE sql STABLE AS $$
  SELECT coalesce(nullif(current_setting('payments.actor', true), ''), 'database:' || session_user)
$$;

CREATE FUNCTION staff_record_account() RETURNS trigger LANGUAGE plpgsql AS $$
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
      -- A password that is stored again with a stronger hash is not a new one. The sign-in names the new hash.
      UNION ALL SELECT CASE WHEN current_setting('payments.same_password', true) = NEW.password THEN 'rehashed' ELSE 'password' END, '', ''
                 WHERE TG_OP = 'UPDATE' AND OLD.password <> NEW.password
    ) AS changed;
  RETURN NULL;
END
$$;
CREATE TRIGGER staff_accounts AFTER INSERT OR DELETE ON auth_user
FOR EACH ROW EXECUTE FUNCTION staff_record_account();
-- A sign-in updates last_login only, and records nothing here.
CREATE TRIGGER staff_accounts_changed
AFTER UPDATE OF username, first_name, last_name, is_active, is_staff, is_superuser, password ON auth_user
FOR EACH ROW EXECUTE FUNCTION staff_record_account();

CREATE FUNCTION staff_record_role() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed jsonb;
  person integer;
  role text;
BEGIN
  IF TG_OP = 'DELETE' THEN changed := to_jsonb(OLD); ELSE changed := to_jsonb(NEW); END IF;
  person := changed ->> 'user_id';
  IF TG_ARGV[0] = 'role' THEN
    SELECT name INTO role FROM auth_group WHERE id = (changed ->> 'group_id')::integer;
  ELSE
    SELECT codename INTO role FROM auth_permission WHERE id = (changed ->> 'permission_id')::integer;
  END IF;
  INSERT INTO staff_staffchange (staff, username, kind, before, after, by, at)
  VALUES (
    person,
    coalesce((SELECT username FROM auth_user WHERE id = person), ''),
    TG_ARGV[0] || CASE WHEN TG_OP = 'DELETE' THEN '_removed' ELSE '_added' END,
    CASE WHEN TG_OP = 'DELETE' THEN coalesce(role, '') ELSE '' END,
    CASE WHEN TG_OP = 'DELETE' THEN '' ELSE coalesce(role, '') END,
    staff_actor(), clock_timestamp());
  RETURN NULL;
END
$$;
CREATE FUNCTION staff_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'Rows of % are added and removed, never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER staff_roles AFTER INSERT OR DELETE ON auth_user_groups
FOR EACH ROW EXECUTE FUNCTION staff_record_role('role');
CREATE TRIGGER staff_roles_kept BEFORE UPDATE ON auth_user_groups
FOR EACH ROW EXECUTE FUNCTION staff_refuse_update();
CREATE TRIGGER staff_permissions AFTER INSERT OR DELETE ON auth_user_user_permissions
FOR EACH ROW EXECUTE FUNCTION staff_record_role('permission');
CREATE TRIGGER staff_permissions_kept BEFORE UPDATE ON auth_user_user_permissions
FOR EACH ROW EXECUTE FUNCTION staff_refuse_update();

-- Begin the record with the accounts and roles that there are.
INSERT INTO staff_staffchange (staff, username, kind, before, after, by, at)
SELECT id, username, 'added', '', '', 'database:' || session_user, date_joined FROM auth_user
UNION ALL
SELECT person.id, person.username, 'role_added', '', role.name, 'database:' || session_user, clock_timestamp()
  FROM auth_user_groups AS held JOIN auth_user AS person ON person.id = user_id JOIN auth_group AS role ON role.id = group_id
UNION ALL
SELECT id, username, 'superuser', '', 'yes', 'database:' || session_user, clock_timestamp() FROM auth_user WHERE is_superuser;

CREATE FUNCTION staff_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'The record of staff changes is permanent' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER staff_staffchange_permanent BEFORE UPDATE OR DELETE ON staff_staffchange
FOR EACH ROW EXECUTE FUNCTION staff_refuse_change();
CREATE TRIGGER staff_staffchange_kept BEFORE TRUNCATE ON staff_staffchange
FOR EACH STATEMENT EXECUTE FUNCTION staff_refuse_change();
-- TRUNCATE runs no triggers of rows, so it would leave the record without what it removed.
CREATE TRIGGER staff_accounts_kept BEFORE TRUNCATE ON auth_user
FOR EACH STATEMENT EXECUTE FUNCTION staff_refuse_change();
CREATE TRIGGER staff_roles_not_truncated BEFORE TRUNCATE ON auth_user_groups
FOR EACH STATEMENT EXECUTE FUNCTION staff_refuse_change();
CREATE TRIGGER staff_permissions_not_truncated BEFORE TRUNCATE ON auth_user_user_permissions
FOR EACH STATEMENT EXECUTE FUNCTION staff_refuse_change();

-- Who assigned payments, received them, changed accounts, asked for backtests or exported is in the evidence, too.
CREATE OR REPLACE FUNCTION staff_is_in_evidence(staff integer) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM auth_user WHERE id = staff_is_in_evidence.staff AND last_login IS NOT NULL)
      OR EXISTS (SELECT FROM clients_apikey WHERE staff_id = staff_is_in_evidence.staff)
      OR EXISTS (SELECT FROM customers_note WHERE author = 'staff:' || staff_is_in_evidence.staff)
      OR EXISTS (SELECT FROM customers_blocking WHERE actor = 'staff:' || staff_is_in_evidence.staff)
      OR EXISTS (SELECT FROM customers_customer WHERE erased_by = 'staff:' || staff_is_in_evidence.staff)
      OR EXISTS (SELECT FROM readmodels_discardedevent WHERE discarded_by = 'staff:' || staff_is_in_evidence.staff)
      OR EXISTS (SELECT FROM backtests_backtest WHERE requested_by = 'staff:' || staff_is_in_evidence.staff)
      OR EXISTS (SELECT FROM backtests_shadow
                  WHERE 'staff:' || staff_is_in_evidence.staff IN (started_by, stopped_by))
      OR EXISTS (SELECT FROM exports_export WHERE requested_by = 'staff:' || staff_is_in_evidence.staff)
      OR EXISTS (SELECT FROM staff_staffchange WHERE by = 'staff:' || staff_is_in_evidence.staff)
      OR EXISTS (SELECT FROM events_event
                  WHERE metadata ->> 'actor' = 'staff:' || staff_is_in_evidence.staff
                     OR 'staff:' || staff_is_in_evidence.staff
                        IN (data ->> 'to', data ->> 'by', data ->> 'reviewer', data ->> 'author', data ->> 'held_by'))
$$;
