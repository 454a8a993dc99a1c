"""Files of resources as kubectl reads them, with the line of every field."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from modelyard_cli.errors import CommandError

_SUFFIXES = (".yaml", ".yml", ".json")
_SEXAGESIMAL = re.compile(r"\d:\d")
_EXPONENT = re.compile(r"^[-+]?[0-9]+[eE][-+]?[0-9]+$")


@dataclass(frozen=True)
class Document:
    """One resource of a file."""

    source: str
    """File, or ``-`` for standard input."""
    content: object
    """The resource as JSON would have it."""
    lines: Mapping[str, int] = field(default_factory=dict)
    """Line of every field, by its path such as ``spec.variants[0].name``."""
    faults: Sequence[tuple[int, str]] = ()
    """What is wrong with the text itself, by line; ``content`` is empty where it cannot be read."""
    asked_for: bool = True
    """Whether its file was named, not only found in a folder."""

    @property
    def is_resource(self) -> bool:
        """Whether it tries to be a resource: a folder may hold other YAML and JSON as well."""
        marks = {"apiVersion", "kind"}
        return self.asked_for or (isinstance(self.content, dict) and not marks.isdisjoint(self.content))

    def line(self, path: str) -> int:
        """Line of a field, or of the nearest one around it that is there."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, self.lines.get("", 1))


class _Loader(yaml.SafeLoader):
    """YAML as kubectl reads it: times stay text, ``12:30`` too, ``1e3`` is a number, ``y`` and ``n`` are true and false."""


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    kept = {
        first: [(tag, rule) for tag, rule in pairs if tag != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    letters = ("tag:yaml.org,2002:bool", re.compile(r"^[yYnN]$"))
    for first in "yYnN":
        kept[first] = [letters, *kept.get(first, [])]
    for first in "+-0123456789":
        kept[first] = [*kept.get(first, []), ("tag:yaml.org,2002:float", _EXPONENT)]
    return kept


def _boolean(loader: _Loader, node: yaml.ScalarNode) -> bool:
    word = loader.construct_scalar(node).lower()
    return loader.bool_values[{"y": "yes", "n": "no"}.get(word, word)]


def _number(loader: _Loader, node: yaml.ScalarNode) -> object:
    """A number; digits with colons, which YAML 1.1 counts in sixties, stay text."""
    if _SEXAGESIMAL.search(node.value):
        return node.value
    if node.tag.endswith(":int"):
        return loader.construct_yaml_int(node)
    number = loader.construct_yaml_float(node)
    return int(number) if number.is_integer() else number


_Loader.yaml_implicit_resolvers = _resolvers()
_Loader.add_constructor("tag:yaml.org,2002:bool", _boolean)
_Loader.add_constructor("tag:yaml.org,2002:int", _number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)


def read_files(names: Sequence[str]) -> Iterator[Document]:
    """Every document of files, of folders with all that is in them, and of standard input for ``-``."""
    for name in names:
        if name == "-":
            yield from parse(sys.stdin.read(), "-")
            continue
        for path in _files(Path(name)):
            try:
                text = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise CommandError(f"{path} cannot be read: {error}") from error
            for document in parse(text, str(path)):
                yield replace(document, asked_for=path == Path(name))


def parse(text: str, source: str) -> Iterator[Document]:
    """The documents of one text; one that is no YAML ends them with a document that says where."""
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                break
            lines: dict[str, int] = {}
            faults = list(_walk(node, "", lines))
            content = loader.construct_document(node)
            if content is not None:
                yield Document(source, content, lines, faults)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        yield Document(source, {}, {"": line}, [(line, f"is no YAML: {error.problem or error.context}")])
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        yield Document(source, {}, {"": 1}, [(1, f"is no YAML: {error}")])
    finally:
        loader.dispose()


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise CommandError(f"{path} is not there")
    if not path.is_dir():
        return [path]
    return sorted(inside for inside in path.rglob("*") if inside.suffix in _SUFFIXES and inside.is_file())


def _walk(node: yaml.Node, path: str, lines: dict[str, int]) -> Iterator[tuple[int, str]]:
    """Notes the lines of all fields, and yields what is given twice: the API server would see the last one only."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _walk(item, f"{path}[{number}]", lines)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inside = f"{path}.{key.value}" if path else str(key.value)
            if inside in lines:
                yield key.start_mark.line + 1, f"{inside} is given twice, first in line {lines[inside]}"
            lines[inside] = key.start_mark.line + 1
            yield from _walk(value, inside, lines)
