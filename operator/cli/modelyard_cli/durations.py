"""Times as people write them on a command line."""

from __future__ import annotations

import re

import click

_UNITS = {"s": 1, "m": 60, "h": 3600}
_PART = re.compile(r"(\d+(?:\.\d+)?)([smh])")


class Duration(click.ParamType[float]):
    """``90s``, ``10m`` or ``1h30m``, as kubectl takes it; a number alone is seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, int | float):
            return float(value)
        text = str(value)
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            self.fail(f"{text} is no duration such as 90s, 10m or 1h30m", param, ctx)
        return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


DURATION = Duration()
