"""Create tables with the definitions of the live ones, as the database's catalogue describes them.

LIKE copies columns, defaults and storage. It omits the table's comment, owner, grants and options,
and gives constraints and indexes other names. This module copies these too.
"""

from collections.abc import Iterable
from typing import Final, LiteralString

from msgspec import Struct
from psycopg import sql

from payments.database import cursor, require_transaction

# One row with the whole definition of the table. Some releases keep a stamp among the options of columns
# (pg_attver), which differs between tables.
_DESCRIBE: Final = """
SELECT (SELECT json_agg(json_build_array(
                 attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
                 attcollation::int8, attstorage, attcompression, attstattarget,
                 ARRAY(SELECT option FROM unnest(attoptions) AS option WHERE option !~ '^pg_attver='),
                 pg_get_expr(adbin, adrelid), col_description(attrelid, attnum)) ORDER BY attnum)::text
          FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE attrelid = found.oid AND attnum > 0 AND NOT attisdropped),
       pg_get_userbyid(relowner)::text,
       reloptions,
       obj_description(found.oid, 'pg_class'),
       ARRAY(SELECT ARRAY[conname::text, pg_get_constraintdef(oid),
                          obj_description(oid, 'pg_constraint')]
               FROM pg_constraint
              WHERE conrelid = found.oid AND contype IN ('p', 'u', 'c', 'x')
              ORDER BY contype <> 'p', conname),
       ARRAY(SELECT ARRAY[index.relname::text,
                          replace(pg_get_indexdef(index.oid),
                                  format(' ON %%I.%%I USING ', %(schema)s::text, found.relname),
                                  format(' ON %%I USING ', found.relname)),
                          obj_description(index.oid, 'pg_class')]
               FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
              WHERE indrelid = found.oid
                AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
              ORDER BY index.relname),
       ARRAY(SELECT ARRAY[CASE grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(grantee)::text END,
                          privilege_type, attname::text, is_grantable::text]
               FROM (SELECT 0 AS attnum, NULL::name AS attname, relacl AS acl
                      UNION ALL
                     SELECT attnum, attname, attacl FROM pg_attribute
                      WHERE attrelid = found.oid AND NOT attisdropped) AS granted
              CROSS JOIN aclexplode(acl) WITH ORDINALITY ORDER BY attnum, ordinality)
  FROM pg_class AS found
 WHERE found.oid = format('%%I.%%I', %(schema)s::text, %(table)s::text)::regclass
"""

# Objects that depend on the table or its row type and would be dropped with it: views, triggers,
# policies, functions. The table's own indexes and constraints are created again. No foreign key
# points to a read model.
_HANGING: Final = """
SELECT pg_describe_object(classid, objid, 0)
  FROM pg_class AS found
  JOIN pg_type AS row ON row.oid = found.reltype
  JOIN pg_depend ON (refclassid, refobjid) IN (('pg_class'::regclass, found.oid),
                                               ('pg_type'::regclass, row.oid),
                                               ('pg_type'::regclass, row.typarray))
  LEFT JOIN pg_constraint AS bound ON classid = 'pg_constraint'::regclass AND bound.oid = objid
  LEFT JOIN pg_class AS part ON classid = 'pg_class'::regclass AND part.oid = objid
 WHERE found.oid = format('%%I.%%I', %(schema)s::text, %(table)s::text)::regclass
   AND classid NOT IN ('pg_attrdef'::regclass, 'pg_type'::regclass)
   AND coalesce(bound.contype = 'f', true)
   AND coalesce(part.relkind NOT IN ('i', 't', 'S'), true)
 UNION
SELECT setting FROM pg_class AS found
 CROSS JOIN LATERAL (VALUES (relrowsecurity, 'row level security'),
                            (relreplident <> 'd', 'a replica identity')) AS given (is_set, setting)
 WHERE found.oid = format('%%I.%%I', %(schema)s::text, %(table)s::text)::regclass AND is_set
"""


class CatalogueChanged(Exception):
    """The live tables changed during the build, or cannot be copied exactly."""


class Definition(Struct, frozen=True):
    """A table without its schema and its rows. Tables with equal definitions are equal."""

    columns: str
    owner: str
    options: list[str] | None
    comment: str | None
    constraints: list[
        tuple[str, str, str | None]
    ]  # name, definition, comment; the primary key first
    indexes: list[tuple[str, str, str | None]]
    grants: list[tuple[str | None, str, str | None, str]]  # role, privilege, column, grantable


def describe(schema: str, table: str) -> Definition:
    """Read a table's definition. Raises ProgrammingError if there is no such table."""
    with cursor() as cur:
        row = cur.execute(_DESCRIBE, {"schema": schema, "table": table}).fetchone()
    assert row is not None, "regclass raises when there is no table"  # noqa: S101
    *plain, constraints, indexes, grants = row
    return Definition(
        *plain, *([tuple(each) for each in some] for some in (constraints, indexes, grants))
    )


def check_replaceable(schema: str, table: str) -> None:
    """Raise CatalogueChanged if the table has dependent objects that a replacement would lose."""
    with cursor() as cur:
        found = cur.execute(_HANGING, {"schema": schema, "table": table}).fetchall()
    if found:
        raise CatalogueChanged(
            f"A rebuild would lose objects on {schema}.{table} that no migration created:"
            f" {'; '.join(name for (name,) in found)}. Drop them, and create them again after the rebuild."
        )


def create(table: str, definition: Definition, *, live: str, schema: str) -> None:
    """Create an empty table in `schema`, without constraints and indexes, which are added later."""
    _run(
        "CREATE TABLE {new} (LIKE {live} INCLUDING ALL EXCLUDING CONSTRAINTS EXCLUDING INDEXES)",
        new=sql.Identifier(schema, table),
        live=sql.Identifier(live, table),
    )
    new = sql.Identifier(schema, table)
    if definition.options:
        _run("ALTER TABLE {new} SET ({options})", new=new, options=_options(definition.options))
    if definition.comment is not None:
        _run("COMMENT ON TABLE {new} IS {comment}", new=new, comment=definition.comment)
    fresh = describe(schema, table)
    if fresh.owner != definition.owner:
        _run("ALTER TABLE {new} OWNER TO {owner}", new=new, owner=sql.Identifier(definition.owner))
    if fresh.grants != definition.grants:
        _grant(new, definition, instead_of=fresh)


def finish(table: str, definition: Definition, *, schema: str) -> None:
    """Add constraints and indexes with the names of the live ones. Must run inside `schema`."""
    require_transaction()
    new = sql.Identifier(schema, table)
    for name, constraint, comment in definition.constraints:
        names = {"new": new, "name": sql.Identifier(name)}
        _run(
            "ALTER TABLE {new} ADD CONSTRAINT {name} {constraint}",
            constraint=_raw(constraint),
            **names,
        )
        if comment is not None:
            _run("COMMENT ON CONSTRAINT {name} ON {new} IS {comment}", comment=comment, **names)
    for name, index, comment in definition.indexes:
        _run("{index}", index=_raw(index))
        if comment is not None:
            _run(
                "COMMENT ON INDEX {name} IS {comment}",
                name=sql.Identifier(schema, name),
                comment=comment,
            )


def check(table: str, definition: Definition, *, schema: str) -> None:
    """Raise CatalogueChanged unless the table in `schema` matches `definition`."""
    found = describe(schema, table)
    changed = [
        name
        for name in Definition.__struct_fields__
        if getattr(found, name) != getattr(definition, name)
    ]
    if changed:
        raise CatalogueChanged(
            f"The {' and '.join(changed)} of {schema}.{table} differ from the live table at the beginning of"
            " the rebuild, perhaps by a migration. Run the rebuild again."
        )


def _grant(new: sql.Identifier, definition: Definition, *, instead_of: Definition) -> None:
    of_columns = [grant for grant in definition.grants if grant[2]]
    of_table = [grant for grant in definition.grants if not grant[2]]
    if of_table == [grant for grant in instead_of.grants if not grant[2]]:
        of_table = []  # a REVOKE would make implied grants explicit
    else:
        for role in {role for role, *_ in instead_of.grants} | {definition.owner}:
            _run("REVOKE ALL ON {new} FROM {role}", new=new, role=_role(role))
    for role, privilege, column, grantable in of_table + of_columns:
        of = sql.SQL(" ({})").format(sql.Identifier(column)) if column else sql.SQL("")
        _run(
            "GRANT {privilege}{of} ON {new} TO {role}{option}",
            privilege=_raw(privilege),
            of=of,
            new=new,
            role=_role(role),
            option=sql.SQL(" WITH GRANT OPTION" if grantable == "true" else ""),
        )


def _role(name: str | None) -> sql.Composable:
    return sql.SQL("PUBLIC") if name is None else sql.Identifier(name)


def _options(options: Iterable[str]) -> sql.Composable:
    pairs = (option.partition("=") for option in options)
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(*name.split(".")), sql.Literal(value))
        for name, _, value in pairs
    )


def _raw(definition: str) -> sql.SQL:
    """Return SQL that the catalogue wrote."""
    return sql.SQL(definition)


def _run(statement: LiteralString, **parts: object) -> None:
    with cursor() as cur:
        cur.execute(sql.SQL(statement).format(**parts))
