"""JSON Schemas of structs, in the form that client generators understand.

- A nullable value is one `type` with "null" in it, so that constraints stay next to the type.
- Integers have a format: without one, generators for Java, Kotlin, Go, Rust and C# use 32 bits.
- No field has a default: generators for TypeScript make such fields required. Descriptions name defaults.
- Requests have closed choices (`enum`). Answers have open ones (`x-extensible-enum` on a plain string):
  clients generated from closed choices raise on a value that is added later.
"""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any, Final

import msgspec

Schema = dict[str, Any]

_TEMPLATE: Final = "#/components/schemas/{name}"
INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1


def components(struct: type[msgspec.Struct], *, answered: bool) -> dict[str, Schema]:
    """Return the schemas of `struct` and of the structs and choices in it, by name."""
    _, found = msgspec.json.schema_components([struct], ref_template=_TEMPLATE)
    if not answered:
        return {name: _readable(schema) for name, schema in found.items()}
    choices = {name for name, schema in found.items() if "enum" in schema}
    values = {_TEMPLATE.format(name=name): found[name]["enum"] for name in choices}
    return {
        name: _open(_readable(schema), values)
        for name, schema in found.items()
        if name not in choices
    }


def integer(minimum: int, maximum: int) -> Schema:
    return _readable({"type": "integer", "minimum": minimum, "maximum": maximum})


def _readable(schema: Schema) -> Schema:
    found = {name: value for name, value in schema.items() if name != "default"}
    match found:
        case {"anyOf": [{"$ref": _}, {"type": "null"}]}:
            pass
        case {"anyOf": [value, {"type": "null"}]}:
            del found["anyOf"]
            found |= _readable(value)
            return _readable(found) | {"type": [found["type"], "null"]}
        case {"type": "object", "properties": properties}:
            found["properties"] = {name: _readable(each) for name, each in properties.items()}
        case {"type": "array", "items": items}:
            found["items"] = _readable(items)
        case {"type": "integer"}:
            small = found.get("maximum", INT64_MAX) <= INT32_MAX
            found.setdefault("format", "int32" if small else "int64")
        case {"type": "number"}:
            found["format"] = "double"
        case {"enum": _}:
            found["type"] = "string"
    if "description" in found:
        found["description"] = cleandoc(found["description"])
    return found


def _open(schema: Schema, choices: Mapping[str, list[str]]) -> Schema:
    """Return the schema with plain strings instead of choices."""
    match schema:
        case {"type": "object", "properties": properties}:
            opened = {name: _open(each, choices) for name, each in properties.items()}
            return schema | {"properties": opened}
        case {"type": "array", "items": items}:
            return schema | {"items": _open(items, choices)}
        case {"anyOf": [{"$ref": name}, _], **more} if name in choices:
            return _open_choice(choices[name], ["string", "null"], more)
        case {"$ref": name, **more} if name in choices:
            return _open_choice(choices[name], "string", more)
        case {"enum": values, "type": kind, **more}:
            return _open_choice(values, kind, more)
        case _:
            return schema


def _open_choice(values: list[str], kind: str | list[str], more: Schema) -> Schema:
    # The description lists the values too, because not every tool shows extensions.
    listed = ", ".join(f"`{each}`" for each in values)
    return {
        **more,
        "type": kind,
        "x-extensible-enum": values,
        "description": f"{more['description']} One of {listed}. New values may be added.",
    }
