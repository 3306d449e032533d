"""The variables that the code reads, compared with the documents that list them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from config import variables
from config.stack import place

# `make run` sets these for its own processes.
INTERNAL: Final = {"EMBEDDED", "DEMO_PASSWORD"}
READERS: Final = {
    name for name in vars(variables) if not name.startswith("_") and name not in {"load", "save"}
}


@cache
def variables_of_the_code() -> dict[str, Any]:
    """Return the default of each variable that the code reads; None if it is not a literal."""
    found: dict[str, Any] = {}
    for folder in ("config", "payments", "readmodels"):
        for file in (place.PROJECT / folder).rglob("*.py"):
            for name, default in _reads(file):
                found[name] = found.get(name) or default
    return {name: default for name, default in found.items() if name not in INTERNAL}


def _reads(file: Path) -> Iterator[tuple[str, Any]]:
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="variables"), attr=reader),
                args=[ast.Constant(value=str(name)), *others],
            ) if reader in READERS:
                default = others[0] if others else None
                yield name, default.value if isinstance(default, ast.Constant) else None


def example() -> dict[str, str]:
    lines = (place.PROJECT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_env_example_lists_every_variable() -> None:
    assert set(example()) == set(variables_of_the_code())


def test_env_example_contains_the_defaults() -> None:
    defaults = {name: value for name, value in variables_of_the_code().items() if value is not None}
    assert len(defaults) > 8

    written = {name: type(value)(example()[name]) for name, value in defaults.items()}

    assert written == defaults


def readme() -> dict[str, str]:
    text = (place.PROJECT / "config" / "README.md").read_text()
    return dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", text, re.MULTILINE))


def test_readme_lists_every_variable_with_its_default() -> None:
    assert set(readme()) == set(variables_of_the_code())

    for name, default in variables_of_the_code().items():
        if default is not None:
            assert type(default)(readme()[name]) == default, name


def test_env_example_is_valid_for_a_shell() -> None:
    for name, value in example().items():
        assert re.fullmatch("[A-Z_]+", name)
        assert re.fullmatch(r"[\w.,:\[\]/-]*", value)
