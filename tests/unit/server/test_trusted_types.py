"""The list of allowed types fits the catalog: what a pipeline may name, the server may load."""

import importlib
import warnings
from contextlib import suppress

import numpy as np
import pytest
import skops.io
from skops.io.exceptions import UnsupportedTypeException

from modelyard_api.catalog import CatalogClass, Kind, load_catalog
from modelyard_server.models.archive import inspect_archive
from modelyard_server.models.integrity import check_integrity
from modelyard_server.models.trusted import ALLOWED
from modelyard_trainer.catalog.nesting import example

ROWS = np.random.default_rng(0).normal(size=(60, 3))
TABLES = (ROWS, np.abs(ROWS), np.abs(ROWS[:, :1]))
TEXTS = np.array(["red shoe", "blue hat", "green car"] * 20)
LABELS = np.array(["a", "b", "c"] * 20)
VALUES = np.abs(ROWS @ [1.0, 2.0, 3.0]) + 1.0
SMALLER = {"n_components": 1}
# A sampler ends with the training: no stored model holds one.
CLASSES = {known.name: known for known in load_catalog().classes if known.kinds != [Kind.SAMPLER]}


def saved(known: CatalogClass) -> bytes | None:
    """A skops file of the class, fitted on whatever it takes; None where it takes nothing of this or cannot be saved."""
    for table in (TEXTS,) if known.input == "text" else TABLES:
        for target in (LABELS, VALUES):
            for changes in ({}, SMALLER):
                with suppress(TypeError, ValueError, UnsupportedTypeException), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model = example(getattr(importlib.import_module(known.module), known.name)).set_params(
                        **changes
                    )
                    content: bytes = skops.io.dumps(model.fit(table, target))
                    return content
    return None


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_of_the_catalog_may_be_served(name: str) -> None:
    content = saved(CLASSES[name])
    if content is None:
        pytest.skip("cannot be saved, or takes another kind of table")
    names = inspect_archive(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of classes that scikit-learn is about to drop
        check_integrity(skops.io.loads(content, trusted=sorted(names)))


@pytest.mark.parametrize("loader", ["ObjectNode", "LossNode", "TreeNode", "TypeNode"])
def test_every_allowed_name_is_a_class(loader: str) -> None:
    missing = []
    for name in ALLOWED[loader]:
        module, _, attribute = name.rpartition(".")
        if not isinstance(getattr(importlib.import_module(module), attribute, None), type):
            missing.append(name)
    # Names of other versions of SciPy and scikit-learn stay on the list, so that images may differ from the tests.
    assert set(missing) <= {"scipy.interpolate._bsplines._BSpline"}
