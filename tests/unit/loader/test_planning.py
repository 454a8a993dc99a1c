"""What is known of variants before anything is built: their recipes, and whether they fit the split."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace

import pyarrow as pa
import pytest

from modelyard_api.v1alpha1.dataset import Split
from modelyard_loader import transforms
from modelyard_loader.record.planning import PlannedVariant, plan
from modelyard_loader.transforms.engine import Engine
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.errors import InvalidSpecError
from tests.support.loading import variants

_SCHEMA = pa.schema([("id", pa.int64()), ("x", pa.float64()), ("kind", pa.string()), ("day", pa.int64())])
_FILTER = {"filter": {"where": "x < 1.0"}}
_FILL = {"fillMissing": {"columns": ["x"], "strategy": "Mean"}}


def _planned(documents: Sequence[object], split: Split | None = None) -> dict[str, PlannedVariant]:
    with closing(Engine(_SCHEMA.empty_table())) as engine:
        found = plan(variants(documents), canonical_columns(_SCHEMA), ("id",), engine, split)
    return {each.variant.name: each for each in found}


def _recipe(documents: Sequence[object], split: Split | None = None) -> str:
    return list(_planned(documents, split).values())[-1].recipe.digest


def test_the_recipe_depends_on_transforms_and_parents_but_not_on_names() -> None:
    one = _recipe([{"name": "a"}, {"name": "b", "from": "a", "transforms": [_FILTER]}])
    assert one == _recipe([{"name": "c"}, {"name": "d", "from": "c", "transforms": [_FILTER]}])
    assert one != _recipe([{"name": "a"}, {"name": "b", "from": "a"}])
    parent = {"name": "a", "transforms": [{"dropMissing": {}}]}
    assert one != _recipe([parent, {"name": "b", "from": "a", "transforms": [_FILTER]}])


def test_the_recipe_of_a_join_depends_on_that_of_the_joined_variant() -> None:
    def joined(transforms: list[object], name: str = "other") -> str:
        group = {"groupBy": ["kind"], "columns": [{"into": "mean_x", "function": "Mean", "column": "x"}]}
        other = {"name": name, "transforms": [*transforms, {"aggregate": group}]}
        join = {"join": {"variant": name, "on": ["kind"]}}
        return _recipe([other, {"name": "v", "transforms": [join]}])

    assert joined([]) == joined([], "by-another-name")
    assert joined([]) != joined([_FILTER])


def test_the_split_is_part_of_the_recipe_where_something_is_learned_from_the_training_part() -> None:
    seeds = [Split(seed=seed) for seed in (1, 2)]
    learned = {_recipe([{"name": "v", "transforms": [_FILL]}], split) for split in seeds}
    filtered = {_recipe([{"name": "v", "transforms": [_FILTER]}], split) for split in seeds}
    assert (len(learned), len(filtered)) == (2, 1)


@pytest.mark.parametrize(
    "transforms",
    [
        [{"select": {"columns": ["x"]}}],
        [{"cast": {"columns": ["kind"], "to": "Integer", "onMisfit": "Null"}}],
        [{"fillMissing": {"columns": ["kind"], "strategy": "Constant", "value": "a"}}],
        [{"text": {"columns": ["kind"], "operations": ["Lower"]}}],
        [{"rename": {"columns": [{"from": "kind", "to": "sort"}]}}],
        [{"sql": {"query": "SELECT id, upper(kind) AS kind FROM rows"}}],
    ],
    ids=lambda transforms: next(iter(transforms[0])),
)
def test_a_variant_that_changes_what_rows_are_split_by_is_refused(transforms: list[object]) -> None:
    with pytest.raises(InvalidSpecError, match=r"spec.split.stratifyBy = 'kind': variant v does not keep"):
        _planned([{"name": "v", "transforms": transforms}], Split(stratify_by="kind"))


def test_a_variant_that_leaves_what_rows_are_split_by_is_planned() -> None:
    transforms = [_FILTER, _FILL, {"balance": {"column": "kind", "method": "Over"}}]
    found = _planned([{"name": "v", "transforms": transforms}], Split(stratify_by="kind"))["v"]
    assert (found.chain.origin, found.chain.label) == (("id",), "kind")


def test_no_line_is_drawn_for_rows_that_are_groups() -> None:
    group = {"groupBy": ["day"], "columns": [{"into": "n", "function": "Count"}]}
    documents = [{"name": "v", "transforms": [{"aggregate": group}]}]
    with pytest.raises(
        InvalidSpecError, match=r"timeColumn = 'day': variant v has rows that are no loaded rows"
    ):
        _planned(documents, Split(time_column="day"))
    assert _planned(documents, Split(group_by="day"))["v"].chain.origin == ("day",)


def test_a_transform_that_comes_to_mean_something_else_has_another_recipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = _recipe([{"name": "v", "transforms": [_FILTER]}])
    kinds = {**transforms.KINDS, "filter": replace(transforms.KINDS["filter"], revision=2)}
    monkeypatch.setattr(transforms, "KINDS", kinds)
    assert _recipe([{"name": "v", "transforms": [_FILTER]}]) != before
