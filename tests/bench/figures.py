"""Figures of a benchmark: what was measured, over rounds, as a document and as a table."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One number: what was done, by whom, what was measured, in which unit."""

    case: str
    contender: str
    figure: str
    unit: str
    value: float


@dataclass(frozen=True)
class Summary:
    """One number over all rounds."""

    case: str
    contender: str
    figure: str
    unit: str
    median: float
    lowest: float
    highest: float
    rounds: int

    @property
    def cell(self) -> str:
        """The median, and the range where there is one."""
        if self.rounds == 1 or self.lowest == self.highest:
            return shown(self.median)
        return f"{shown(self.median)} ({shown(self.lowest)} to {shown(self.highest)})"


def summarise(figures: Iterable[Figure]) -> list[Summary]:
    """Medians and ranges, in the order in which cases, figures and contenders first appeared."""
    groups: dict[tuple[str, str, str, str], list[float]] = {}
    for f in figures:
        groups.setdefault((f.case, f.figure, f.contender, f.unit), []).append(f.value)
    return [
        Summary(case, contender, figure, unit, statistics.median(v), min(v), max(v), len(v))
        for (case, figure, contender, unit), v in groups.items()
    ]


def write_document(summaries: Sequence[Summary], file: Path) -> None:
    """A JSON list of {case, contender, figure, unit, value}; the ends of a range are figures of their own."""
    entries: list[Figure] = []
    for s in summaries:
        entries.append(Figure(s.case, s.contender, s.figure, s.unit, s.median))
        if s.rounds > 1:
            entries.append(Figure(s.case, s.contender, f"{s.figure}, lowest", s.unit, s.lowest))
            entries.append(Figure(s.case, s.contender, f"{s.figure}, highest", s.unit, s.highest))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(e) for e in entries], indent=1) + "\n")


def table(summaries: Sequence[Summary], contenders: Sequence[str]) -> str:
    """A Markdown table: a row for each figure of each case, a column for each contender."""
    cells = {(s.case, s.figure, s.unit, s.contender): s.cell for s in summaries if s.contender in contenders}
    order = list(dict.fromkeys(case for case, _, _, _ in cells))
    rows = sorted(dict.fromkeys(key[:3] for key in cells), key=lambda row: order.index(row[0]))
    lines = [["case", "figure", *contenders], ["---", "---", *("---:" for _ in contenders)]]
    for case, figure, unit in rows:
        label = f"{figure}, {unit}" if unit else figure
        lines.append([case, label, *(cells.get((case, figure, unit, c), "") for c in contenders)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(_row(line, widths) for line in lines) + "\n"


def write_between(file: Path, marker: str, text: str) -> None:
    """Puts the text between a page's comments `<!-- MARKER -->` and `<!-- end of MARKER -->`."""
    opening, closing = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    before, found, rest = file.read_text().partition(opening)
    _, ended, after = rest.partition(closing)
    if not found or not ended:
        raise ValueError(f"{file.name} lacks the comments {opening} and {closing}")
    file.write_text(f"{before}{opening}\n{text}{closing}{after}")


def shown(value: float) -> str:
    """The number with three digits that count, or whole where it has more."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _row(line: Sequence[str], widths: Sequence[int]) -> str:
    if line[0] == "---":
        cells = [
            ("-" * (w - 1) + ":") if c.endswith(":") else "-" * w for c, w in zip(line, widths, strict=True)
        ]
    else:
        cells = [
            c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))
        ]
    return f"| {' | '.join(cells)} |"
