"""The queries of the chart's rules and dashboards, as Prometheus is asked them."""

import json
import re
from dataclasses import dataclass
from typing import Any

import yaml

from bringup.paths import REPOSITORY

FILES = REPOSITORY / "charts" / "modelyard" / "files"
RULES = FILES / "rules.yml"
DASHBOARDS = sorted((FILES / "dashboards").glob("*.json"))
_VARIABLE = re.compile(r"\$\{?(?!__)\w+\}?")
_LABEL_VALUES = re.compile(r"^label_values\((?P<series>.+), \w+\)$")


@dataclass(frozen=True)
class Query:
    """A question and where it stands."""

    place: str
    text: str


def rules() -> list[dict[str, Any]]:
    """All rules of all groups."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def of_rules(kind: str) -> list[Query]:
    """Of the rules that ``record`` or ``alert``."""
    return [Query(rule[kind], rule["expr"]) for rule in rules() if kind in rule]


def of_dashboards() -> list[Query]:
    """Of panels and variables, with everything chosen."""
    found = []
    for file in DASHBOARDS:
        board = json.loads(file.read_text())
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                matched = _LABEL_VALUES.match(variable["query"]["query"])
                assert matched, variable
                found.append(Query(f"{file.stem} ${variable['name']}", matched["series"]))
        for panel in board["panels"]:
            found += [
                Query(f"{file.stem} {panel['title']}", each["expr"]) for each in panel.get("targets", [])
            ]
    return [Query(query.place, _VARIABLE.sub(".*", query.text)) for query in found]
