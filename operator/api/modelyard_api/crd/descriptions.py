"""What is written below a field of a model, as the description of its property.

Only who writes schemas reads this. pydantic can do it as well, but then every process that imports a model parses its
source first: a quarter of what it takes to import all that a pod needs of this package.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any, get_args

from pydantic import BaseModel


def add_descriptions(model: type[BaseModel], schema: dict[str, Any]) -> None:
    """Adds them to the JSON schema of a model, by its names on the wire, and to its definitions, in place."""
    definitions = schema.get("$defs", {})
    for known in models_of(model):
        node = schema if known is model else definitions[known.__name__]
        for name, text in _described(known).items():
            wire = known.model_fields[name].alias or name
            property_ = {"description": text, **node["properties"][wire]}
            # As pydantic orders what it writes, so that files do not change with who adds the text.
            node["properties"][wire] = dict(sorted(property_.items()))


def models_of(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The model and all that its fields are made of, each once."""
    found: dict[type[BaseModel], None] = {}
    pending = [model]
    while pending:
        known = pending.pop()
        if known in found:
            continue
        found[known] = None
        for field in known.model_fields.values():
            pending.extend(_within(field.annotation))
    return list(found)


def _within(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _within(argument)


def _described(model: type[BaseModel]) -> dict[str, str]:
    """Fields with a text; one that is declared anew without a text has none."""
    found: dict[str, str | None] = {}
    for parent in reversed(model.__mro__):
        if issubclass(parent, BaseModel) and parent is not BaseModel:
            module = inspect.getmodule(parent)
            found.update(_of_module(module).get(parent.__qualname__, {}) if module is not None else {})
    return {name: text for name, text in found.items() if text is not None and name in model.model_fields}


@cache
def _of_module(module: ModuleType) -> dict[str, dict[str, str | None]]:
    """For each class of a module the text below each of its annotated names, None where there is none."""
    tree = ast.parse(inspect.getsource(module))
    return {node.name: dict(_of_class(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _of_class(node: ast.ClassDef) -> Iterator[tuple[str, str | None]]:
    for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id, _text(following)


def _text(statement: ast.stmt | None) -> str | None:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        value = statement.value.value
        return inspect.cleandoc(value) if isinstance(value, str) else None
    return None
