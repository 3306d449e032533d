"""A projection that fills its table differently needs a new version, which requires a rebuild.

If this fails, increase the `version` of the projection and add the digest here. Keep the number
only if every log still gives the same rows. A new event, for example, is in no log yet.
"""

import ast
import hashlib
import inspect
from importlib import import_module
from typing import Final

import pytest

from payments.domain.payment import disputes
from payments.domain.risk import windows
from readmodels import projections
from readmodels.projections import PROJECTIONS

DIGESTS: Final = {
    "payment_summary": {
        5: "caa0316a507c5f45",
        6: "602c68532c567d3e",
        7: "1d358e635a02d2c2",
        8: "f5be304323a48b60",
    },
    "daily_statistics": {
        1: "34481f43124322ff",
        2: "7aa54a3a8610315f",
        3: "d5566c473e536981",
    },
    "dispute_summary": {1: "5b0fe1d9779bfa42"},
    "customer_activity": {1: "cf954122ca71095c"},
    "review_day": {1: "0a2583a47231cc2d"},
    "second_review": {1: "c98586b2130c3ed2"},
    "personal_access": {1: "8c91800c6fc42896"},
    "event_index": {1: "b03e8b6c10f5aa5b", 2: "a9be59cc9425be6e"},
}
# Modules of the domain that also determine the rows.
SHARED: Final = {"customer_activity": (windows,), "dispute_summary": (disputes,)}


def test_digests_are_of_all_projections() -> None:
    assert DIGESTS.keys() == PROJECTIONS.keys()


@pytest.mark.parametrize("name", PROJECTIONS)
def test_version_matches_digest_of_projection(name: str) -> None:
    modules = (import_module(f"{projections.__name__}.{name}"), *SHARED.get(name, ()))
    source = "".join(map(inspect.getsource, modules))
    assert DIGESTS.get(name, {}).get(PROJECTIONS[name].version) == digest(source), __doc__


def test_digest_depends_on_code_but_not_on_layout() -> None:
    original = "def delta(record):\n    return {1: 2}\nPROJECTION = Counters(version=1)\n"
    reworded = '"""A docstring."""\nimport typing\n' + original.replace(
        "{1: 2}", "{  # a reason\n        1: 2\n    }"
    ).replace("version=1", "version=2")

    assert digest(reworded) == digest(original)
    assert digest(original.replace("1: 2", "1: 3")) != digest(original)


def digest(source: str) -> str:
    """Return a digest of the code of a projection without its imports, docstrings and version."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [each for each in node.body if not _is_ignored(each)]
        elif isinstance(node, ast.Call):
            node.keywords = [each for each in node.keywords if not _is_version(each)]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


def _is_version(node: ast.keyword) -> bool:
    return node.arg == "version" and isinstance(node.value, ast.Constant)


def _is_ignored(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )
