"""Refuse to delete staff whom the evidence names: their names would be missing from it."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

# Who has signed in may have done something. The log has no index by actor, so it is searched last, and
# only for an account that was never used.
FORWARDS = """
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
"""

BACKWARDS = """
DROP TRIGGER auth_user_in_evidence ON auth_user;
DROP FUNCTION auth_user_refuse_deletion();
DROP FUNCTION staff_is_in_evidence(integer);
"""


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("readmodels", "0024_refuse_appends_behind_checkpoints"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("clients", "0001_initial"),
        ("customers", "0003_contacts_and_blocks"),
        ("events", "0003_refuse_changes"),
    ]

    operations: ClassVar[list[Operation]] = [migrations.RunSQL(FORWARDS, BACKWARDS)]
