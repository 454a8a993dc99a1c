"""Model files that nobody should load: each would run a command, take all memory or leave its arrays.

A file is a true skops file of a small model with one thing changed. ``canary`` is a path; a file that gets to run
something makes it.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

_SCHEMA = "schema.json"
Node = dict[str, Any]
Forge = Callable[[Path], bytes]


@dataclass(frozen=True)
class Payload:
    """A file and a word that its refusal must say."""

    forge: Forge
    word: str


class _Command:
    """Unpickling it makes the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.canary,))


def corpus() -> dict[str, Payload]:
    """All payloads by what they try."""
    return {**_calls(), **_shapes(), **_archives(), **_contents()}


def json_node(value: object) -> Node:
    """A plain value."""
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
    }


def node(loader: str, name: str, **fields: Any) -> Node:  # noqa: ANN401  any JSON
    """A node of the schema for a dotted name."""
    module, _, class_ = name.rpartition(".")
    return {"__class__": class_, "__module__": module, "__loader__": loader, **fields}


def listed(*items: Node) -> Node:
    """A list."""
    return node("ListNode", "builtins.list", content=list(items))


def tupled(*items: Node) -> Node:
    """A tuple."""
    return node("TupleNode", "builtins.tuple", content=list(items))


def mapping(**items: Node) -> Node:
    """A dict with text keys."""
    keys = listed(*(node("TypeNode", "builtins.str") for _ in items))
    return node("DictNode", "builtins.dict", content=items, key_types=keys)


def with_attribute(make: Callable[[Path], Node]) -> Forge:
    """A small model with one more attribute."""

    def forge(canary: Path) -> bytes:
        def change(schema: Node) -> None:
            schema["content"]["content"]["extra"] = make(canary)
            schema["content"]["key_types"]["content"].append(node("TypeNode", "builtins.str"))

        return _changed(_model(), change)

    return forge


def _calls() -> dict[str, Payload]:
    """Nodes that call what they name when they are built."""
    command = "os.system"

    def touch(canary: Path) -> Node:
        return json_node(f"touch {canary}")

    return {
        "a constructor that is a command": Payload(
            with_attribute(
                lambda canary: node("ConstructorFromReduceNode", command, content=tupled(touch(canary)))
            ),
            "ConstructorFromReduceNode",
        ),
        "a set whose class is a process": Payload(
            with_attribute(
                lambda canary: node(
                    "SetNode", "subprocess.Popen", content=[json_node("touch"), json_node(str(canary))]
                )
            ),
            "subprocess.Popen",
        ),
        "a list whose class is a process": Payload(
            with_attribute(
                lambda canary: node(
                    "ListNode", "subprocess.Popen", content=[json_node("touch"), json_node(str(canary))]
                )
            ),
            "subprocess.Popen",
        ),
        "a loss whose constructor is a command": Payload(
            with_attribute(
                lambda canary: node(
                    "LossNode",
                    command,
                    content=mapping(),
                    __reduce__={"args": tupled(touch(canary))},
                )
            ),
            command,
        ),
        "a dict whose keys are made by a command": Payload(
            with_attribute(
                lambda canary: node(
                    "DictNode",
                    "builtins.dict",
                    content={f"touch {canary}": json_node(1)},
                    key_types=listed(node("TypeNode", command)),
                )
            ),
            command,
        ),
        "a call of a method by its name": Payload(
            with_attribute(
                lambda canary: node(
                    "OperatorFuncNode",
                    "operator.call",
                    attrs=tupled(node("FunctionNode", command), touch(canary)),
                )
            ),
            "OperatorFuncNode",
        ),
        "a bound method": Payload(
            with_attribute(
                lambda canary: node(
                    "MethodNode",
                    "pathlib.PosixPath",
                    content={
                        "func": "touch",
                        "obj": node("ObjectNode", "pathlib.PosixPath", note=str(canary)),
                    },
                )
            ),
            "pathlib.PosixPath",
        ),
        "a partial of a command": Payload(
            with_attribute(
                lambda canary: node(
                    "PartialNode",
                    "functools.partial",
                    content={
                        "func": node("FunctionNode", command),
                        "args": tupled(touch(canary)),
                        "kwds": mapping(),
                        "namespace": mapping(),
                    },
                )
            ),
            "PartialNode",
        ),
        "a scalar whose class is a command": Payload(_scalar, command),
        "a random state whose class is a command": Payload(
            with_attribute(lambda _: node("RandomStateNode", "os.abort", content=mapping())), "os.abort"
        ),
        "a generator that names a function": Payload(
            with_attribute(
                lambda _: node(
                    "RandomGeneratorNode",
                    "numpy.random._generator.Generator",
                    content={
                        "bit_generator": mapping(bit_generator=json_node("seed")),
                        "seed_seq": mapping(entropy=json_node(1)),
                    },
                )
            ),
            "numpy.random.seed",
        ),
        "a function to transform with": Payload(
            with_attribute(
                lambda _: node(
                    "ObjectNode",
                    "sklearn.preprocessing._function_transformer.FunctionTransformer",
                    content=mapping(func=node("FunctionNode", command)),
                )
            ),
            "FunctionTransformer",
        ),
        "a function of the shell": Payload(with_attribute(lambda _: node("FunctionNode", command)), command),
        "an object of a foreign class": Payload(
            with_attribute(lambda _: node("ObjectNode", "http.server.HTTPServer", content=mapping())),
            "http.server.HTTPServer",
        ),
        "a type of a foreign module": Payload(
            with_attribute(lambda _: node("TypeNode", "antigravity.geohash")), "antigravity.geohash"
        ),
        "a default factory": Payload(
            with_attribute(
                lambda _: node(
                    "DefaultDictNode",
                    "collections.defaultdict",
                    content={"main": mapping(), "default_factory": node("TypeNode", "os.getpid")},
                )
            ),
            "DefaultDictNode",
        ),
        "bytes": Payload(
            with_attribute(lambda _: node("BytesNode", "builtins.bytes", file=_SCHEMA)), "BytesNode"
        ),
        "an estimator that stands as a function": Payload(
            with_attribute(
                lambda _: node("FunctionNode", "sklearn.linear_model._logistic.LogisticRegression")
            ),
            "LogisticRegression",
        ),
        "a loader that is a list": Payload(
            with_attribute(lambda _: node("ObjectNode", command) | {"__loader__": ["ObjectNode"]}), command
        ),
        "a name with a zero in it": Payload(
            with_attribute(lambda _: node("ObjectNode", "sklearn.pipeline\u0000.Pipeline")), "Pipeline"
        ),
    }


def _scalar(canary: Path) -> bytes:
    scalar = np.array(f"touch {canary}")
    buffer = io.BytesIO()
    np.save(buffer, scalar, allow_pickle=False)

    def change(schema: Node) -> None:
        schema["content"]["content"]["extra"] = node(
            "NdArrayNode", "os.system", type="numpy", file="extra.npy"
        )
        schema["content"]["key_types"]["content"].append(node("TypeNode", "builtins.str"))

    return _changed(_model(), change, {"extra.npy": buffer.getvalue()})


def _shapes() -> dict[str, Payload]:
    """Schemas that are not what they should be."""

    def protocol(value: object) -> Forge:
        return lambda _: _changed(_model(), lambda schema: schema.update(protocol=value))

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
        "a schema that is a list": Payload(lambda _: _zipped({_SCHEMA: b"[]"}), "protocol"),
        "a schema that is no JSON": Payload(lambda _: _zipped({_SCHEMA: b"{"}), "schema"),
        "no schema": Payload(lambda _: _zipped({"a": b""}), _SCHEMA),
        "no node at all": Payload(lambda _: _zipped({_SCHEMA: b'{"protocol": 2}'}), "cannot be built"),
    }


def _archives() -> dict[str, Payload]:
    """Files that are not a skops file, or one that does not fit into memory."""

    def bomb(_: Path) -> bytes:
        return _zipped({_SCHEMA: b"{}", "zeros": bytes(64 * 1024 * 1024)}, zipfile.ZIP_DEFLATED)

    def twice(_: Path) -> bytes:
        import warnings  # noqa: PLC0415  for the one warning that is meant

        buffer = io.BytesIO(_model())
        with warnings.catch_warnings(), zipfile.ZipFile(buffer, "a") as archive:
            warnings.simplefilter("ignore", UserWarning)
            archive.writestr(_SCHEMA, b"{}")
        return buffer.getvalue()

    def header(_: Path) -> bytes:
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            buffer, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
        )
        return _zipped({**_entries(_model()), "x.npy": buffer.getvalue()})

    def objects(canary: Path) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, np.array([_Command(canary)], dtype=object), allow_pickle=True)
        return _zipped({**_entries(_model()), "x.npy": buffer.getvalue()})

    def sparse(canary: Path) -> bytes:
        return _zipped({**_entries(_model()), "x.npz": _zipped({"data.npy": pickle.dumps(_Command(canary))})})

    return {
        "a pickle": Payload(lambda canary: pickle.dumps(_Command(canary)), "not a skops file"),
        "an archive that unpacks to more than is allowed": Payload(bomb, "bytes"),
        "an archive packed in another way": Payload(
            lambda _: _zipped(_entries(_model()), zipfile.ZIP_LZMA), "packed"
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
            entries = _entries(skops.io.dumps(model.fit(data, labels)))
            for name, content in entries.items():
                if name.endswith(".npy"):
                    values = np.load(io.BytesIO(content), allow_pickle=False)
                    if values.dtype.names is not None and set(dtype_names) <= set(values.dtype.names):
                        change(values)
                        buffer = io.BytesIO()
                        np.save(buffer, values, allow_pickle=False)
                        entries[name] = buffer.getvalue()
            return _zipped(entries)

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
    }


def _model() -> bytes:
    content: bytes = skops.io.dumps(LogisticRegression().fit([[0.0], [1.0]], ["a", "b"]))
    return content


def _changed(
    content: bytes, change: Callable[[Node], None], more: Mapping[str, bytes] | None = None
) -> bytes:
    entries = _entries(content)
    schema = json.loads(entries[_SCHEMA])
    change(schema)
    return _zipped({**entries, **(more or {}), _SCHEMA: json.dumps(schema).encode()})


def _entries(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(entries: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()
