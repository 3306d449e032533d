"""Each projection is registered, has its own table, and fills all columns of that table."""

import pkgutil
from importlib import import_module
from typing import Final

import pytest
from django.apps import apps
from django.db.models import ForeignKey, Model

from readmodels import projections
from readmodels.engine import storage
from readmodels.models import (
    accesses,
    alerts,
    decisions,
    disputes,
    engine,
    projections as tables,
    rebuilds,
    reviews,
    saved_views,
)
from readmodels.projections import PROJECTIONS
from readmodels.projections.kinds import Projection

_ALL: Final = tuple(PROJECTIONS.values())
_MODULES: Final = [
    import_module(f"{projections.__name__}.{module.name}")
    for module in pkgutil.iter_modules(projections.__path__)
]


def _models_of(module: object) -> set[type[Model]]:
    return {
        model
        for model in apps.get_app_config("readmodels").get_models()
        if model.__module__ == module.__name__  # type: ignore[attr-defined]
    }


def test_each_module_with_a_projection_is_registered() -> None:
    defined = {module.PROJECTION.name for module in _MODULES if hasattr(module, "PROJECTION")}

    assert defined == set(PROJECTIONS)


def test_each_table_of_a_projection_has_one_projection() -> None:
    rebuilt = set().union(*map(_models_of, (tables, disputes, reviews, accesses)))
    assert rebuilt == {projection.model for projection in _ALL}
    assert len({projection.model for projection in _ALL}) == len(_ALL)


def test_each_model_says_whether_it_can_be_rebuilt() -> None:
    modules = (
        tables,
        disputes,
        reviews,
        accesses,
        engine,
        decisions,
        rebuilds,
        saved_views,
        alerts,
    )
    kinds = set().union(*map(_models_of, modules))

    assert kinds == set(apps.get_app_config("readmodels").get_models())


@pytest.mark.parametrize("projection", _ALL, ids=list(PROJECTIONS))
def test_projection_fills_each_column_of_its_table(projection: Projection) -> None:
    columns = {field.attname for field in projection.model._meta.local_concrete_fields}

    assert set(storage.columns(projection)) == columns


@pytest.mark.parametrize("projection", _ALL, ids=list(PROJECTIONS))
def test_table_of_a_projection_has_no_foreign_key(projection: Projection) -> None:
    fields = projection.model._meta.get_fields()

    assert not [field for field in fields if isinstance(field, ForeignKey)]
