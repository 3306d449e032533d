-- A plan that was made while the table was empty or small reads all of it, and is kept for the connection until the
-- statistics change. Autovacuum changes them only some time after many entries were added. Only the owner may
-- analyze, so the function runs as its owner, with the search path of the table.
CREATE FUNCTION {schema}.lists_entry_analyze_small() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
  IF (SELECT reltuples < 100 FROM pg_class WHERE oid = 'lists_entry'::regclass) THEN
    ANALYZE lists_entry;
  END IF;
END
$$;
