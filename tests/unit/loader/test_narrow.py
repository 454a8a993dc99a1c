"""What a row-wise chain asks the engine: only what it computes, and which rows stay."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelyard_api.contract.manifest import Column
from modelyard_loader.record.planning import PlannedVariant, plan
from modelyard_loader.record.stages import Stages
from modelyard_loader.record.ways import Way, ways
from modelyard_loader.transforms import KINDS
from modelyard_loader.transforms.engine import Engine
from modelyard_loader.transforms.limits import Limits
from modelyard_loader.transforms.narrow import Narrow, narrowed
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.errors import DataError
from tests.support.loading import variants
from tests.support.transforms import chains

_ROWS = pa.table(
    {
        "id": pa.array(range(6), pa.int64()),
        "n": pa.array([1, 2, None, 4, 5, 6], pa.int64()),
        "x": [0.5, float("nan"), 2.5, None, -0.0, 1e300],
        "t": ["One", " two ", None, "FOUR", "", "6"],
        "b": [True, False, None, True, False, True],
    }
)
_TRANSFORMS: dict[str, list[dict[str, Any]]] = {
    "filter": [{"filter": {"where": "n > 1 AND x < 3"}}],
    "derive": [{"derive": {"column": "y", "as": "n * 2"}}, {"derive": {"column": "z", "as": "y + x"}}],
    "drop_missing": [{"dropMissing": {"columns": ["t"]}}],
    "bin": [{"bin": {"column": "n", "into": "k", "edges": ["0", "2", "4"], "openEnded": True}}],
    "fill_missing": [{"fillMissing": {"columns": ["n"], "strategy": "Constant", "value": "7"}}],
    "select": [{"select": {"columns": ["t", "x"]}}],
    "rename": [{"rename": {"columns": [{"from": "n", "to": "t"}, {"from": "t", "to": "n"}]}}],
    "cast": [{"cast": {"columns": ["n", "b"], "to": "Number"}}],
    "text": [{"text": {"columns": ["t"], "operations": ["Strip", "Lower"]}}],
    "sample": [{"sample": {"percent": "50", "seed": 3}}],
    "many": [
        {"derive": {"column": "y", "as": "coalesce(n, 0) + 1"}},
        {"filter": {"where": "y > 1"}},
        {"rename": {"columns": [{"from": "y", "to": "z"}, {"from": "x", "to": "y"}]}},
        {"fillMissing": {"columns": ["y"], "strategy": "Constant", "value": "0"}},
        {"select": {"columns": ["z", "t"]}},
    ],
}


def _planned(documents: Sequence[object]) -> list[PlannedVariant]:
    with closing(Engine(_ROWS.schema.empty_table())) as engine:
        return plan(variants(documents), canonical_columns(_ROWS.schema), ("id",), engine)


def _narrow(*transforms: object) -> Narrow:
    return narrowed(_planned([{"name": "v", "transforms": list(transforms)}])[0].chain)


def _ways(*documents: object) -> dict[str, Way]:
    return ways(_planned(documents))


def test_every_row_wise_transform_is_tried_here() -> None:
    assert {name for name, kind in KINDS.items() if kind.row_wise is not KINDS["sql"].row_wise} <= {
        *_TRANSFORMS
    }


@pytest.mark.parametrize("name", _TRANSFORMS)
def test_a_chain_that_is_taken_apart_gives_the_rows_of_the_whole_one(name: str) -> None:
    documents = [{"name": "v", "transforms": _TRANSFORMS[name]}]
    with closing(Engine(_ROWS)) as engine:
        expected = chains(engine, documents)["v"].run(engine)
    [way] = _ways(*documents).values()
    with closing(Stages(Limits())) as stages, closing(stages.stage(way)) as stage:
        for rows in (_ROWS, pa.concat_tables([_ROWS.slice(0, 2), _ROWS.slice(2)]), _ROWS.slice(0, 0)):
            found = stage.run(rows)
            assert found.schema.equals(expected.schema)
            assert str(found.to_pylist()) == str(expected.to_pylist() if rows.num_rows else [])


def test_rows_that_come_in_any_order_leave_in_that_of_their_key() -> None:
    [way] = _ways({"name": "v", "transforms": _TRANSFORMS["many"]}).values()
    with closing(Stages(Limits())) as stages, closing(stages.stage(way)) as stage:
        shuffled = _ROWS.take(np.random.default_rng(1).permutation(6))
        assert stage.run(shuffled).equals(stage.run(_ROWS))


def test_a_value_that_does_not_fit_names_its_transform_and_the_stage_goes_on() -> None:
    where = {"filter": {"where": "cast(t AS bigint) = 6"}}
    [way] = _ways({"name": "v", "transforms": [{"derive": {"column": "y", "as": "n"}}, where]}).values()
    with closing(Stages(Limits())) as stages, closing(stages.stage(way)) as stage:
        with pytest.raises(
            DataError, match=r"spec\.variants v\.transforms\[1\]\.filter: a value does not fit"
        ):
            stage.run(_ROWS)
        assert stage.run(_ROWS.slice(5)).num_rows == 1


def test_only_what_is_computed_is_asked_for() -> None:
    narrow = _narrow({"derive": {"column": "y", "as": "n * 2"}}, {"select": {"columns": ["t", "y"]}})
    assert (narrow.read, narrow.filtered) == (("n",), False)
    assert narrow.kept == {"id": "id", "t": "t"}
    assert [column.name for column in narrow.made] == ["y"]
    assert '"t"' not in narrow.text


def test_columns_that_decide_which_rows_stay_are_read_and_not_given_back() -> None:
    narrow = _narrow({"filter": {"where": "x > 1"}}, {"dropMissing": {"columns": ["t"]}})
    assert (narrow.read, narrow.filtered, narrow.made) == (("x", "t"), True, ())
    assert not narrow.unchanged


def test_names_and_places_of_columns_are_changed_without_asking() -> None:
    narrow = _narrow(*_TRANSFORMS["rename"], *_TRANSFORMS["select"])
    assert not narrow.asks
    assert narrow.kept == {"id": "id", "t": "n", "x": "x"}
    assert narrow.unchanged == {"id", "x"}


def test_what_a_value_becomes_twice_is_computed_in_turn() -> None:
    narrow = _narrow(*_TRANSFORMS["text"], {"rename": {"columns": [{"from": "t", "to": "u"}]}})
    assert narrow.read == ("t",)
    assert narrow.made == (Column(name="u", type=narrow.made[0].type),)


_DERIVED = [{"derive": {"column": "y", "as": "n * 2"}}]


def test_a_variant_with_new_columns_extends_the_one_that_it_starts_from() -> None:
    found = _ways(
        {"name": "v1"},
        {"name": "v2", "from": "v1", "transforms": _TRANSFORMS["filter"]},
        {"name": "v3", "from": "v2", "transforms": _DERIVED},
        {"name": "v4", "from": "v3"},
    )
    assert [found[name].start for name in found] == [None, None, "v2", "v3"]
    assert [found[name].holder for name in found] == [None, "v2", "v3", "v3"]
    assert [found[name].like for name in found] == [None, None, "v2", "v3"]
    assert found["v3"].shared == {"id", "n", "x", "t", "b"}
    assert [found[name].extended for name in found] == [None, None, "v2", None]


@pytest.mark.parametrize(
    ("transforms", "shared"),
    [
        (_TRANSFORMS["filter"], set()),
        ([*_DERIVED, {"select": {"columns": ["t", "y"]}}], {"id", "t"}),
        (_TRANSFORMS["fill_missing"], {"id", "x", "t", "b"}),
        ([{"select": {"columns": ["n", "x", "t", "b"]}}], {"id", "n", "x", "t", "b"}),
        ([*_DERIVED, {"select": {"columns": ["n", "t", "x", "b", "y"]}}], {"id", "n", "x", "t", "b"}),
    ],
)
def test_a_variant_extends_no_other_that_has_other_rows_or_columns(
    transforms: list[object], shared: set[str]
) -> None:
    way = _ways(
        {"name": "v1", "transforms": _TRANSFORMS["filter"]},
        {"name": "v2", "from": "v1", "transforms": transforms},
    )["v2"]
    assert way.shared == shared
    assert way.extended is None


def test_a_variant_of_the_loaded_rows_extends_no_file() -> None:
    found = _ways({"name": "v1"}, {"name": "v2", "from": "v1", "transforms": _DERIVED})
    assert (found["v2"].like, found["v2"].extended) == ("v1", None)
