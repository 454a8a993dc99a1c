"""Write the tables of values into the charts' READMEs, from the comments in values.yaml.

``python hack/chart_docs.py`` rewrites them; with ``--check`` it fails when one is out of date. A value without a
comment above it is an error in both.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

CHARTS = Path(__file__).resolve().parents[1] / "charts"
BEGIN, END = "<!-- values -->", "<!-- end of values -->"


@dataclass(frozen=True)
class Value:
    """One row of a table."""

    path: str
    default: str
    text: str


class UndocumentedError(Exception):
    """A value has no comment."""


def values(source: str) -> list[Value]:
    """The leaves of a values file: scalars, lists, and maps written on one line."""
    root = yaml.compose(source)
    if not isinstance(root, yaml.MappingNode):
        raise TypeError("a values file is a map")
    return list(_walk(root, (), source.splitlines()))


def _walk(node: yaml.MappingNode, path: tuple[str, ...], lines: list[str]) -> Iterator[Value]:
    for key, value in node.value:
        here = (*path, str(key.value))
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            yield from _walk(value, here, lines)
            continue
        text = _comment(lines, key.start_mark.line)
        if not text:
            raise UndocumentedError(f"{'.'.join(here)} has no comment")
        yield Value(".".join(here), json.dumps(_plain(value), ensure_ascii=False), text)


def _comment(lines: list[str], row: int) -> str:
    """The comment right above a row, as one line."""
    words: list[str] = []
    while row > 0 and lines[row - 1].lstrip().startswith("#"):
        row -= 1
        words.insert(0, lines[row].lstrip().lstrip("#").strip())
    return " ".join(words)


def _plain(node: yaml.Node) -> object:
    return yaml.safe_load(yaml.serialize(node))


def table(rows: list[Value]) -> str:
    """A Markdown table."""
    lines = ["| value | default | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{row.path}` | `{row.default}` | {row.text.replace('|', '&#124;')} |" for row in rows]
    return "\n".join(lines)


def rendered(readme: str, source: str) -> str:
    """The README with its table made new."""
    head, _, rest = readme.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{table(values(source))}\n{END}{tail}"


def main() -> int:
    """Every chart with a README that asks for a table."""
    parser = argparse.ArgumentParser(description="write the tables of values into the charts' READMEs")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail when a table is out of date"
    )
    check = parser.parse_args().check
    stale = []
    for readme in sorted(CHARTS.rglob("README.md")):
        old = readme.read_text(encoding="utf-8")
        if BEGIN not in old:
            continue
        try:
            new = rendered(old, readme.with_name("values.yaml").read_text(encoding="utf-8"))
        except UndocumentedError as error:
            print(f"{readme.with_name('values.yaml')}: {error}", file=sys.stderr)
            return 1
        if new != old:
            stale.append(readme)
            if not check:
                readme.write_text(new, encoding="utf-8")
    if check and stale:
        print("out of date, run `python hack/chart_docs.py`:", *stale, sep="\n  ", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
