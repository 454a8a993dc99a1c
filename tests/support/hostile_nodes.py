"""Nodes of a skops schema that call, when they are built, what they name.

Each stands with a word that its refusal must say. ``canary`` is the path that a call would make.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCHEMA = "schema.json"
COMMAND = "os.system"
Node = dict[str, Any]
Hostile = tuple[Callable[[Path], Node], str]


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


def hostile_nodes() -> dict[str, Hostile]:
    """All of them by what they try."""
    return {**_classes(), **_constructors(), **_functions()}


def _touch(canary: Path) -> Node:
    return json_node(f"touch {canary}")


def _classes() -> dict[str, Hostile]:
    """Collections and objects whose class is something else."""
    return {
        "a set whose class is a process": (
            lambda canary: node(
                "SetNode", "subprocess.Popen", content=[json_node("touch"), json_node(str(canary))]
            ),
            "subprocess.Popen",
        ),
        "a list whose class is a process": (
            lambda canary: node(
                "ListNode", "subprocess.Popen", content=[json_node("touch"), json_node(str(canary))]
            ),
            "subprocess.Popen",
        ),
        "a random state whose class is a command": (
            lambda _: node("RandomStateNode", "os.abort", content=mapping()),
            "os.abort",
        ),
        "an object of a foreign class": (
            lambda _: node("ObjectNode", "http.server.HTTPServer", content=mapping()),
            "http.server.HTTPServer",
        ),
        "a type of a foreign module": (
            lambda _: node("TypeNode", "antigravity.geohash"),
            "antigravity.geohash",
        ),
        "a loader that is a list": (
            lambda _: node("ObjectNode", COMMAND) | {"__loader__": ["ObjectNode"]},
            COMMAND,
        ),
        "a name with a zero in it": (
            lambda _: node("ObjectNode", "sklearn.pipeline\x00.Pipeline"),
            "Pipeline",
        ),
        "bytes": (lambda _: node("BytesNode", "builtins.bytes", file=SCHEMA), "BytesNode"),
    }


def _constructors() -> dict[str, Hostile]:
    """Nodes that call what makes them."""
    return {
        "a constructor that is a command": (
            lambda canary: node("ConstructorFromReduceNode", COMMAND, content=tupled(_touch(canary))),
            "ConstructorFromReduceNode",
        ),
        "a loss whose constructor is a command": (
            lambda canary: node(
                "LossNode", COMMAND, content=mapping(), __reduce__={"args": tupled(_touch(canary))}
            ),
            COMMAND,
        ),
        "a dict whose keys are made by a command": (
            lambda canary: node(
                "DictNode",
                "builtins.dict",
                content={f"touch {canary}": json_node(1)},
                key_types=listed(node("TypeNode", COMMAND)),
            ),
            COMMAND,
        ),
        "a default factory": (
            lambda _: node(
                "DefaultDictNode",
                "collections.defaultdict",
                content={"main": mapping(), "default_factory": node("TypeNode", "os.getpid")},
            ),
            "os.getpid",
        ),
        "a generator that names a function": (
            lambda _: node(
                "RandomGeneratorNode",
                "numpy.random._generator.Generator",
                content={
                    "bit_generator": mapping(bit_generator=json_node("seed")),
                    "seed_seq": mapping(entropy=json_node(1)),
                },
            ),
            "numpy.random.seed",
        ),
    }


def _functions() -> dict[str, Hostile]:
    """Functions and methods where a value should be."""
    return {
        "a call of a method by its name": (
            lambda canary: node(
                "OperatorFuncNode",
                "operator.call",
                attrs=tupled(node("FunctionNode", COMMAND), _touch(canary)),
            ),
            "OperatorFuncNode",
        ),
        "a bound method": (
            lambda canary: node(
                "MethodNode",
                "pathlib.PosixPath",
                content={"func": "touch", "obj": node("ObjectNode", "pathlib.PosixPath", note=str(canary))},
            ),
            "pathlib.PosixPath",
        ),
        "a partial of a command": (
            lambda canary: node(
                "PartialNode",
                "functools.partial",
                content={
                    "func": node("FunctionNode", COMMAND),
                    "args": tupled(_touch(canary)),
                    "kwds": mapping(),
                    "namespace": mapping(),
                },
            ),
            "PartialNode",
        ),
        "a function to transform with": (
            lambda _: node(
                "ObjectNode",
                "sklearn.preprocessing._function_transformer.FunctionTransformer",
                content=mapping(func=node("FunctionNode", COMMAND)),
            ),
            COMMAND,
        ),
        "a function of the shell": (lambda _: node("FunctionNode", COMMAND), COMMAND),
        "an estimator that stands as a function": (
            lambda _: node("FunctionNode", "sklearn.linear_model._logistic.LogisticRegression"),
            "LogisticRegression",
        ),
    }
