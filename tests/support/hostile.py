"""Model files that nobody should load: each would run a command, take all memory or leave its arrays.

A file is a true skops file of a small model with one thing changed. ``canary`` is a path; a file that gets to run
something makes it.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from tests.support.hostile_contents import bombs, misfits
from tests.support.hostile_files import Forge, Payload, changed, entries, zipped
from tests.support.hostile_nodes import (
    COMMAND,
    SCHEMA,
    Node,
    hostile_nodes,
    json_node,
    listed,
    node,
)


class _Command:
    """Unpickling it makes the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.canary,))


def corpus() -> dict[str, Payload]:
    """All payloads by what they try."""
    return {**_calls(), **_shapes(), **_archives(), **_contents(), **misfits(), **bombs()}


def with_attribute(make: Callable[[Path], Node]) -> Forge:
    """A small model with one more attribute."""

    def forge(canary: Path) -> bytes:
        def change(schema: Node) -> None:
            schema["content"]["content"]["extra"] = make(canary)
            schema["content"]["key_types"]["content"].append(node("TypeNode", "builtins.str"))

        return changed(_model(), change)

    return forge


def _calls() -> dict[str, Payload]:
    """Nodes that call what they name when they are built."""
    nodes = {what: Payload(with_attribute(make), word) for what, (make, word) in hostile_nodes().items()}
    return {**nodes, "a scalar whose class is a command": Payload(_scalar, COMMAND)}


def _scalar(canary: Path) -> bytes:
    scalar = np.array(f"touch {canary}")
    buffer = io.BytesIO()
    np.save(buffer, scalar, allow_pickle=False)

    def change(schema: Node) -> None:
        schema["content"]["content"]["extra"] = node("NdArrayNode", COMMAND, type="numpy", file="extra.npy")
        schema["content"]["key_types"]["content"].append(node("TypeNode", "builtins.str"))

    return changed(_model(), change, {"extra.npy": buffer.getvalue()})


def _shapes() -> dict[str, Payload]:
    """Schemas that are not what they should be."""

    def protocol(value: object) -> Forge:
        return lambda _: changed(_model(), lambda schema: schema.update(protocol=value))

    def deep(_: Path) -> bytes:
        inner = json_node(1)
        for _level in range(400):
            inner = listed(inner)
        return with_attribute(lambda _: inner)(Path())

    return {
        "an older protocol": Payload(protocol(0), "protocol"),
        "a protocol that is true": Payload(protocol(bool(1)), "protocol"),
        "a protocol that is a text": Payload(protocol("2"), "protocol"),
        "a schema nested without end": Payload(deep, "nested"),
        "a schema that is a list": Payload(lambda _: zipped({SCHEMA: b"[]"}), "protocol"),
        "a schema that is no JSON": Payload(lambda _: zipped({SCHEMA: b"{"}), "schema"),
        "no schema": Payload(lambda _: zipped({"a": b""}), SCHEMA),
        "no node at all": Payload(lambda _: zipped({SCHEMA: b'{"protocol": 2}'}), "cannot be built"),
    }


def _archives() -> dict[str, Payload]:
    """Files that are not a skops file, or one that does not fit into memory."""

    def bomb(_: Path) -> bytes:
        return zipped({SCHEMA: b"{}", "zeros": bytes(64 * 1024 * 1024)}, zipfile.ZIP_DEFLATED)

    def twice(_: Path) -> bytes:
        import warnings  # noqa: PLC0415  for the one warning that is meant

        buffer = io.BytesIO(_model())
        with warnings.catch_warnings(), zipfile.ZipFile(buffer, "a") as archive:
            warnings.simplefilter("ignore", UserWarning)
            archive.writestr(SCHEMA, b"{}")
        return buffer.getvalue()

    def header(_: Path) -> bytes:
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            buffer, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
        )
        return zipped({**entries(_model()), "x.npy": buffer.getvalue()})

    def objects(canary: Path) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, np.array([_Command(canary)], dtype=object), allow_pickle=True)
        return zipped({**entries(_model()), "x.npy": buffer.getvalue()})

    def sparse(canary: Path) -> bytes:
        return zipped({**entries(_model()), "x.npz": zipped({"data.npy": pickle.dumps(_Command(canary))})})

    return {
        "a pickle": Payload(lambda canary: pickle.dumps(_Command(canary)), "not a skops file"),
        "an archive that unpacks to more than is allowed": Payload(bomb, "bytes"),
        "an archive packed in another way": Payload(
            lambda _: zipped(entries(_model()), zipfile.ZIP_LZMA), "packed"
        ),
        "an archive with two schemas": Payload(twice, "two entries"),
        "an array longer than its file": Payload(header, "its header says"),
        "an array of pickled objects": Payload(objects, "Python objects"),
        "a sparse matrix that is a pickle": Payload(sparse, "not an array"),
        "a file that ends early": Payload(lambda _: _model()[:-30], "not a skops file"),
        "nothing": Payload(lambda _: b"", "not a skops file"),
    }


def _contents() -> dict[str, Payload]:
    """Allowed types with a content that compiled code would follow out of its arrays, or that reads files."""
    data = np.random.default_rng(0).normal(size=(300, 2))
    labels = (data[:, 0] > 0).astype(int)

    def array(model: Any, dtype_names: tuple[str, ...], change: Callable[[np.ndarray], None]) -> Forge:  # noqa: ANN401
        def forge(_: Path) -> bytes:
            held = entries(skops.io.dumps(model.fit(data, labels)))
            for name, content in held.items():
                if name.endswith(".npy"):
                    values = np.load(io.BytesIO(content), allow_pickle=False)
                    if values.dtype.names is not None and set(dtype_names) <= set(values.dtype.names):
                        change(values)
                        buffer = io.BytesIO()
                        np.save(buffer, values, allow_pickle=False)
                        held[name] = buffer.getvalue()
            return zipped(held)

        return forge

    def assign(field: str, value: int) -> Callable[[np.ndarray], None]:
        def change(values: np.ndarray) -> None:
            values[field][0] = value

        return change

    tree = ("left_child", "right_child", "feature")
    boosted = ("left", "right", "feature_idx", "is_leaf")
    nearest = KNeighborsClassifier(algorithm="kd_tree")
    return {
        "a tree whose child is far away": Payload(
            array(DecisionTreeClassifier(), tree, assign("left_child", 10**9)), "outside"
        ),
        "a tree that goes round for ever": Payload(
            array(DecisionTreeClassifier(), tree, assign("left_child", 0)), "outside"
        ),
        "a tree that reads a feature that is not there": Payload(
            array(DecisionTreeClassifier(), tree, assign("feature", 10**6)), "outside"
        ),
        "a boosted tree whose child is far away": Payload(
            array(HistGradientBoostingClassifier(max_iter=2), boosted, assign("right", 4 * 10**9)), "outside"
        ),
        "a boosted tree that reads a feature that is not there": Payload(
            array(HistGradientBoostingClassifier(max_iter=2), boosted, assign("feature_idx", 10**6)),
            "features",
        ),
        "neighbours far away": Payload(
            array(nearest, ("idx_start", "idx_end"), assign("idx_end", 10**9)), "outside"
        ),
        "a vectorizer that reads the files that a request names": Payload(
            lambda _: skops.io.dumps(TfidfVectorizer(input="filename")), "reads files"
        ),
        "a vectorizer whose pattern takes time without end": Payload(
            lambda _: skops.io.dumps(TfidfVectorizer(token_pattern=r"(\w+)+!")), "time without end"
        ),
    }


def _model() -> bytes:
    content: bytes = skops.io.dumps(LogisticRegression().fit([[0.0], [1.0]], ["a", "b"]))
    return content
