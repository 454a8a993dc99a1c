"""Puts what ci/compare.sh has asked for into Markdown; ends with 1 where the candidate is worse by the first metric.

python3 ci/report.py build/ci > build/ci/report.md
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

VERDICTS = {True: "passed", False: "**refused**", None: "no answer yet"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; bars within cells would end them."""
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def runs(compared: dict[str, Any]) -> str:
    """The runs side by side, the best first; what is best in its column is bold."""
    names = list(dict.fromkeys(name for run in compared["runs"] for name in run["metrics"]))
    rows = [
        [
            *(run["job"], run["data"], run["estimator"]),
            *(cell(run["metrics"].get(name), bold=name in run["bestBy"]) for name in names),
        ]
        for run in compared["runs"]
    ]
    return table(["run", "data", "estimator", *names], rows)


def cell(value: float | None, *, bold: bool) -> str:
    """A figure, or a dash."""
    text = "-" if value is None else f"{value:.4g}"
    return f"**{text}**" if bold else text


def changes(difference: dict[str, Any]) -> Iterable[str]:
    """What changed, and what that did."""
    changed = [
        [change["what"], str(change["before"] or "-"), str(change["after"] or "-")]
        for section in difference["sections"]
        for change in section["changes"]
    ]
    yield table(["changed", "champion", "candidate"], changed)
    effects = [
        [effect["metric"], f"{effect['before']:.4g}", f"{effect['after']:.4g}", effect["verdict"]]
        for effect in difference["effects"]
    ]
    yield table(["metric", "champion", "candidate", "effect"], effects)
    yield from (f"> {remark}" for remark in difference["remarks"])


def gates(promotion: dict[str, Any]) -> Iterable[str]:
    """What each gate asked for and saw."""
    candidate = promotion.get("status", {}).get("candidate", {})
    results = [
        [gate["gate"], gate["required"], gate["observed"], VERDICTS[gate.get("passed")]]
        for gate in candidate.get("gates", [])
    ]
    if results:
        yield table(["gate", "required", "observed", ""], results)
    if candidate.get("refused"):
        yield f"The servers refused the model: {candidate['refused']}"


def main(folder: Path) -> int:
    """Prints the report of a folder."""
    read = {file.stem: json.loads(file.read_text()) for file in folder.glob("*.json")}
    parts = ["## Candidate and champion", runs(read["compare"])]
    difference = read.get("diff")
    if difference is None:
        parts.append("There is nothing to compare with: no champion yet, or nothing that is trained changed.")
    else:
        parts += changes(difference)
    parts += gates(read["promotion"])
    effects = difference["effects"] if difference else []
    worse = bool(effects) and effects[0]["verdict"] == "worse"
    if worse:
        parts.append(
            f"**The candidate is worse by {effects[0]['metric']}, by more than noise where it is known.**"
        )
    print("\n\n".join(parts))
    return int(worse)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
