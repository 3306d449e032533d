"""STATE_VERSION must change with `evolve` and the state's fields, to invalidate older snapshots.

If this fails, increase `STATE_VERSION` in payments/domain/payment/state.py and add the digest here. Keep the
number only if the change gives the same state for every history.
"""

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable
from typing import Any, Final

import msgspec

from payments.domain.payment import state
from payments.domain.payment.state import Payment, evolve
from payments.domain.payment.upcasts import UPCASTS

DIGESTS: Final = {
    2: "1cb57c9301ee1814",
    3: "ad273b70a9d4a92b",
    4: "cb43c0722196e69a",
    5: "a2324b1d9f483565",
    6: "1705bd38b815845b",
}


def test_state_version_matches_digest_of_evolve_and_state() -> None:
    assert DIGESTS.get(state.STATE_VERSION) == digest(evolve), __doc__


def test_digest_depends_on_code_but_not_on_layout() -> None:
    """The digest covers the functions that evolve calls, but not docstrings, comments and layout."""

    def evolve_more(*arguments: Any) -> Payment:
        """Another docstring."""
        return evolve(*arguments)  # and this too

    def evolve_well(*arguments: Any) -> Payment:
        return evolve(
            *arguments,
        )

    assert set(_reached(evolve_more)) == {"evolve", "_begin", "_changes", "_review"}
    assert _code(evolve_more).replace("evolve_more", "evolve_well") == _code(evolve_well)
    assert digest(evolve_more) != digest(evolve)
    assert '"flagged_at"' in _shape()
    assert '"policy_id"' in _shape()


def digest(function: Callable[..., Any]) -> str:
    """Return a digest of `function`, the functions of its module that it calls, and the state's fields."""
    code = [_code(function), *(_code(each) for _, each in sorted(_reached(function).items()))]
    code += [_code(upcast) for _, upcast in sorted(UPCASTS.items())]  # upcasts change the state too
    return hashlib.sha256("\n".join([*code, _shape()]).encode()).hexdigest()[:16]


def _reached(function: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    unread = [function]
    while unread:
        for node in ast.walk(_tree(unread.pop())):
            called = getattr(state, node.id, None) if isinstance(node, ast.Name) else None
            if (
                inspect.isfunction(called)
                and called.__module__ == state.__name__
                and called.__name__ not in found
            ):
                found[called.__name__] = called
                unread.append(called)
    return found


def _tree(function: Callable[..., Any]) -> ast.FunctionDef:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef)
    if ast.get_docstring(tree) is not None:
        tree.body.pop(0)
    return tree


def _code(function: Callable[..., Any]) -> str:
    return ast.unparse(_tree(function))


def _shape() -> str:
    """Return the state's fields and types, without docstrings."""

    def plain(schema: Any) -> Any:
        if isinstance(schema, dict):
            return {name: plain(value) for name, value in schema.items() if name != "description"}
        return [plain(each) for each in schema] if isinstance(schema, list) else schema

    return json.dumps(plain(msgspec.json.schema(Payment)), sort_keys=True)
