"""Pieces of HTML. Every text goes through ``escape``; nothing is loaded from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; color: #1a202c; margin: 0; background: #f7fafc; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 2px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 10px; }
section { background: #fff; border: 1px solid #e2e8f0; border-radius: 8px; padding: 18px 20px; margin-top: 18px; }
p.sub { color: #4a5568; margin: 0; overflow-wrap: anywhere; }
p.small, td.note, caption { color: #4a5568; font-size: 13px; }
.cards { display: flex; flex-wrap: wrap; gap: 12px; margin-top: 16px; }
.card { background: #fff; border: 1px solid #e2e8f0; border-radius: 8px; padding: 10px 16px; min-width: 130px; }
.card b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; }
.card span { color: #4a5568; font-size: 13px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 5px 10px; border-bottom: 1px solid #edf2f7; vertical-align: top; }
th { color: #4a5568; font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.best { background: #e6fffa; font-weight: 600; }
td.text { overflow-wrap: anywhere; }
th.name, td.name { white-space: nowrap; position: sticky; left: 0; background: #fff; text-align: left; font-weight: 600; }
td.fact { min-width: 110px; max-width: 220px; overflow-wrap: anywhere; }
figure { margin: 0; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 22px; align-items: start; }
img { max-width: 100%; height: auto; }
figcaption { color: #4a5568; font-size: 13px; }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Cell:
    """A cell of a table."""

    text: str
    kind: str = "text"
    """Class of the cell: text, number, note, best, name (stays in sight) or fact (one of many columns)."""
    whole: str | None = None
    """What is shown when the mouse rests on a cell that holds only its beginning."""


def number(value: float | None) -> str:
    """A number with four digits that count; a dash where there is none."""
    if value is None:
        return "—"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"  # noqa: PLR2004  digits before the point


def page(title: str, body: Iterable[str]) -> bytes:
    """A whole document."""
    text = "\n".join(body)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        f"<style>{_STYLE}</style></head>\n<body><main>\n{text}\n</main></body></html>\n"
    ).encode()


def heading(text: str) -> str:
    """The title of the page."""
    return f"<h1>{escape(text)}</h1>"


def section(title: str, *parts: str) -> str:
    """A block with a heading."""
    inside = "\n".join(parts)
    return f"<section><h2>{escape(title)}</h2>\n{inside}\n</section>"


def paragraph(text: str, kind: str = "small") -> str:
    """A paragraph."""
    return f'<p class="{escape(kind)}">{escape(text)}</p>'


def table(head: Sequence[Cell], rows: Iterable[Sequence[Cell]]) -> str:
    """A table that scrolls by itself where it is too wide."""
    top = "".join(f'<th class="{escape(cell.kind)}">{escape(cell.text)}</th>' for cell in head)
    body = "\n".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def _cell(cell: Cell) -> str:
    whole = f' title="{escape(cell.whole)}"' if cell.whole is not None else ""
    return f'<td class="{escape(cell.kind)}"{whole}>{escape(cell.text)}</td>'


def cards(pairs: Iterable[tuple[str, str]]) -> str:
    """Figures at a glance: value and what it is."""
    inside = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(what)}</span></div>' for value, what in pairs
    )
    return f'<div class="cards">{inside}</div>'


def picture(png: bytes, caption: str) -> str:
    """A PNG inside the page."""
    data = base64.b64encode(png).decode("ascii")
    said = escape(caption)
    return f'<figure><img alt="{said}" src="data:image/png;base64,{data}"><figcaption>{said}</figcaption></figure>'


def pictures(inside: Iterable[str]) -> str:
    """Pictures side by side."""
    return f'<div class="plots">{"".join(inside)}</div>'
