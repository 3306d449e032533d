CREATE TRIGGER staff_staffchange_kept BEFORE TRUNCATE ON staff_staffchange
FOR EACH STATEMENT EXECUTE FUNCTION staff_refuse_change();
-- TRUNCATE runs no triggers of rows, so it would leave the record without what it removed.
CREATE TRIGGER staff_accounts_kept BEFORE TRUNCATE ON auth_user
FOR EACH STATEMENT EXECUTE FUNCTION staff_refuse_change();
CREATE TRIGGER staff_roles_not_truncated BEFORE TRUNCATE ON auth_user_groups
FOR EACH STATEMENT EXECUTE FUNCTION staff_refuse_change();
CREATE TRIGGER staff_permissions_not_truncated BEFORE TRUNCATE ON auth_user_user_permissions
FOR EACH STATEMENT EXECUTE FUNCTION staff_refuse_change();
