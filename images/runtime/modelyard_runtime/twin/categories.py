"""How HistGradientBoosting's trees see rows of which some columns are categories.

Its trees ask of a category whether it is one of those that go to the left. Each such question becomes a column of its own,
1 for the categories that go to the right, 0 for the others, NaN for what counts as missing, so that trees need only compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelyard_runtime.twin.encoding import Tables, compile_ordinal, tables_of
from modelyard_runtime.twin.node import CompileStep, Node
from modelyard_runtime.twin.rows import Row, Rows, float_row, floats, is_finite
from modelyard_runtime.twin.walking import Tree

CATEGORIES = "categories"
_HALF = 0.5
_BITS = 32


def compile_categories(model: Any, compile_step: CompileStep) -> tuple[list[Tree], Node, int]:  # noqa: ANN401
    """Trees of a fitted HistGradientBoosting model with categories, the node of its rows, and how wide those become."""
    columns = model._preprocessor  # noqa: SLF001  not to be had otherwise
    where = columns._transformer_to_input_indices  # noqa: SLF001
    arrays: dict[str, np.ndarray] = {
        name: np.asarray(where[name], dtype=np.int64) for name in ("encoder", "numerical")
    }
    encoder = columns.named_transformers_["encoder"]
    predictors = [each for stage in model._predictors for each in stage]  # noqa: SLF001
    counts = [len(categories) for categories in encoder.categories_]
    asked = _Asked(len(arrays["numerical"]), _asked_of(predictors, counts))
    seen = model._bin_mapper.bin_thresholds_  # noqa: SLF001  categories are bins of their own
    for at, (questions, count) in enumerate(zip(asked.questions, counts, strict=True)):
        left = [np.frombuffer(held, dtype=np.bool_) for held in questions]
        arrays[f"right{at}"] = ~np.stack(left, axis=1) if left else np.zeros((count, 0), dtype=np.bool_)
        arrays[f"known{at}"] = np.isin(np.arange(count), seen[at])
    node = Node(CATEGORIES, arrays=arrays, children=(compile_ordinal(encoder, compile_step),))
    return [asked.tree(each, counts) for each in predictors], node, asked.width


@dataclass(frozen=True)
class _Asked:
    """What the trees of a fitted model ask. Columns of numbers come first, then the questions of each of the others."""

    numbers: int
    questions: tuple[dict[bytes, int], ...]
    """For each column of categories the codes that go to the left, as truth values, and the turn of their question."""

    @property
    def width(self) -> int:
        return self.numbers + sum(len(each) for each in self.questions)

    def tree(self, predictor: Any, counts: Sequence[int]) -> Tree:  # noqa: ANN401
        """A tree of the model, comparing these columns."""
        nodes = predictor.nodes
        leaf = nodes["is_leaf"] != 0
        asks = (nodes["is_categorical"] != 0) & ~leaf
        # In the model's own rows the categories stand before the numbers.
        feature = np.where(leaf, 0, nodes["feature_idx"].astype(np.int64) - len(counts))
        starts = self.numbers + np.cumsum([0, *(len(each) for each in self.questions)])
        for at in np.flatnonzero(asks).tolist():
            column = int(nodes["feature_idx"][at])
            feature[at] = starts[column] + self.questions[column][_left(predictor, at, counts[column])]
        left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
        return Tree(
            left=left,
            right=right,
            feature=feature,
            threshold=np.where(asks, _HALF, nodes["num_threshold"]),
            missing_left=nodes["missing_go_to_left"] != 0,
            values=nodes["value"][:, np.newaxis],
        )


def _asked_of(predictors: Sequence[Any], counts: Sequence[int]) -> tuple[dict[bytes, int], ...]:
    found: tuple[dict[bytes, int], ...] = tuple({} for _ in counts)
    for predictor in predictors:
        nodes = predictor.nodes
        for at in np.flatnonzero((nodes["is_categorical"] != 0) & (nodes["is_leaf"] == 0)).tolist():
            column = int(nodes["feature_idx"][at])
            found[column].setdefault(_left(predictor, at, counts[column]), len(found[column]))
    return found


def _left(predictor: Any, at: int, count: int) -> bytes:  # noqa: ANN401
    """Which codes go to the left at this node of a tree."""
    bits = predictor.raw_left_cat_bitsets[predictor.nodes["bitset_idx"][at]]
    codes = np.arange(count)
    held: bytes = ((bits[codes // _BITS] >> (codes % _BITS).astype(np.uint32)) & 1 != 0).tobytes()
    return held


def category_rows(node: Node, width: int) -> CategoryRows:
    """How rows are seen whose node is this one. Raises TwinFormatError."""
    if node.kind != CATEGORIES or len(node.children) != 1:
        raise node.broken("children")
    tables = tables_of(node.children[0], whole=False)
    encoded = node.numbers("encoder", np.int64, len(tables.features))
    numerical = node.numbers("numerical", np.int64, None)
    inputs = len(encoded) + len(numerical)
    if not np.array_equal(np.sort(np.concatenate([encoded, numerical])), np.arange(inputs)):
        raise node.broken("encoder")
    answers = []
    for at in range(len(encoded)):
        right = node.numbers(f"right{at}", np.bool_, None, None)
        known = node.numbers(f"known{at}", np.bool_, len(right))
        missing = np.full((1, right.shape[1]), np.nan)
        answers.append(np.concatenate([np.where(known[:, np.newaxis] | ~right, right, np.nan), missing]))
        _check_codes(node, tables, at, len(right))
    if len(numerical) + sum(each.shape[1] for each in answers) != width:
        raise node.broken("numerical")
    return CategoryRows(tables, encoded, numerical, tuple(answers))


def _check_codes(node: Node, tables: Tables, at: int, count: int) -> None:
    table = tables.features[at]
    for code in (*table.codes.values(), table.missing, table.unknown):
        if code is None or code != code:  # noqa: PLR0124  NaN is not itself
            continue
        if not (0 <= code < count and code == int(code)):
            raise node.broken(f"right{at}")


@dataclass(frozen=True)
class CategoryRows:
    """Rows as numbers and answers to questions about categories."""

    tables: Tables
    encoded: np.ndarray
    numerical: np.ndarray
    answers: tuple[np.ndarray, ...]
    """For each column of categories what each code, and last NaN, says to each question."""

    def __call__(self, rows: Rows) -> tuple[np.ndarray, bool]:
        """The rows, and whether a value is missing."""
        held = rows if isinstance(rows, np.ndarray) else rows.dense()
        inputs = len(self.encoded) + len(self.numerical)
        if held.ndim != 2 or held.shape[1] != inputs:  # noqa: PLR2004  rows and columns
            raise ValueError(f"X has not the {inputs} columns that the model was fitted with.")
        codes = self.tables.codes(held.take(self.encoded, axis=1))
        numbers = floats(held.take(self.numerical, axis=1), infinite=True)
        blocks = [numbers]
        for answers, code in zip(self.answers, codes.T, strict=True):
            blocks.append(answers.take(np.where(np.isnan(code), -1, code).astype(np.int64), axis=0))
        seen = np.concatenate(blocks, axis=1)
        return seen, bool(np.isnan(seen).any())

    def alone(self, row: Row) -> np.ndarray | None:
        """A single row with nothing missing, shape (1, width)."""
        if not isinstance(row, np.ndarray) or len(row) != len(self.encoded) + len(self.numerical):
            return None
        codes = self.tables.known(row.take(self.encoded))
        numbers = float_row(row.take(self.numerical))
        if codes is None or numbers is None:
            return None
        blocks = [numbers]
        for answers, code in zip(self.answers, codes, strict=True):
            if code != code:  # noqa: PLR0124  NaN is not itself
                return None
            blocks.append(answers[int(code)])
        seen = np.concatenate(blocks)
        return seen[np.newaxis] if is_finite(seen) else None
