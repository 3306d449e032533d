"""STATE_VERSION must change with `evolve` and the state's fields, to invalidate older snapshots.

If this fails, increase `STATE_VERSION` and add the digest here. The version is in
payments/domain/payment/state.py or, for lists, in payments/domain/lists.py. Keep the number only
if every history still gives the same state.
"""

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Callable
from typing import Any, Final

import msgspec

from payments import domain
from payments.domain import lists
from payments.domain.lists import RiskList
from payments.domain.payment import state
from payments.domain.payment.state import Payment, evolve
from payments.domain.payment.upcasts import UPCASTS
from payments.events.upcasting import Upcasts

LIST_DIGESTS: Final = {1: "c1ba9edcf6254b1f"}
DIGESTS: Final = {
    2: "1cb57c9301ee1814",
    3: "ad273b70a9d4a92b",
    4: "cb43c0722196e69a",
    5: "a2324b1d9f483565",
    6: "1705bd38b815845b",
    7: "3b6b853d29bfb0f3",
    8: "cbfea834d3fe78bf",
    9: "4176d683d06f4311",
    10: "40bf14f94c923165",
    11: "be6a87a71d0e81a8",
    12: "c4d5e57700d4783a",
    13: "9bd927d395d1c641",
    14: "f3080c961fdbbdde",
}


def test_state_version_matches_digest_of_evolve_and_state() -> None:
    assert DIGESTS.get(state.STATE_VERSION) == digest(evolve), __doc__


def test_state_version_of_lists_matches_digest_of_evolve_and_state() -> None:
    found = digest(lists.evolve, upcasts={}, state_class=RiskList)
    assert LIST_DIGESTS.get(lists.STATE_VERSION) == found, __doc__


def test_digest_depends_on_code_but_not_on_layout() -> None:
    """The digest covers the functions that evolve calls, but no docstrings, comments or layout."""

    def evolve_more(*arguments: Any) -> Payment:
        """Another docstring."""
        return evolve(*arguments)  # and this too

    def evolve_well(*arguments: Any) -> Payment:
        return evolve(
            *arguments,
        )

    names = {name.rpartition(".")[2] for name in _reached(evolve_more)}
    assert names >= {"evolve", "_begin", "_changes", "_review", "noted", "_stated"}
    assert _code(evolve_more).replace("evolve_more", "evolve_well") == _code(evolve_well)
    assert digest(evolve_more) != digest(evolve)
    assert '"flagged_at"' in _shape(Payment)
    assert '"policy_id"' in _shape(Payment)


def digest(
    function: Callable[..., Any],
    *,
    upcasts: Upcasts = UPCASTS,
    state_class: type = Payment,
) -> str:
    """Return a digest of the state's fields, `function` and the domain functions that it calls."""
    reached = sorted(_reached(function).items())
    code = [_code(function), *(_code(each) for _, each in reached)]
    code += [_code(upcast) for _, upcast in sorted(upcasts.items())]  # upcasts change the state too
    return hashlib.sha256("\n".join([*code, _shape(state_class)]).encode()).hexdigest()[:16]


def _reached(function: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Return the functions of the domain that `function` calls, by qualified name."""
    found: dict[str, Callable[..., Any]] = {}
    unread = [function]
    while unread:
        caller = unread.pop()
        known = vars(inspect.getmodule(caller))
        for node in ast.walk(_tree(caller)):
            called = known.get(node.id) if isinstance(node, ast.Name) else None
            if inspect.isfunction(called) and called.__module__.startswith(domain.__name__):
                name = f"{called.__module__}.{called.__name__}"
                if name not in found:
                    found[name] = called
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


def _shape(state_class: type) -> str:
    """Return the state's fields and types, without docstrings."""

    def plain(schema: Any) -> Any:
        if isinstance(schema, dict):
            return {name: plain(value) for name, value in schema.items() if name != "description"}
        return [plain(each) for each in schema] if isinstance(schema, list) else schema

    return json.dumps(plain(msgspec.json.schema(state_class)), sort_keys=True)
