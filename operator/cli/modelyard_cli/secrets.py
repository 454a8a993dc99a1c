"""Variables of a container whose values only a Secret has, as they are given on a command line."""

from __future__ import annotations

import re
from typing import NamedTuple

import click

_WORDS = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)/([-._a-zA-Z0-9]+)")


class SecretVariable(NamedTuple):
    """A variable, and where its value is; the value itself is never given to a command."""

    variable: str
    secret: str
    key: str

    @classmethod
    def of(cls, words: str) -> SecretVariable | None:
        """What ``NAME=SECRET/KEY`` says; None for anything else."""
        found = _WORDS.fullmatch(words)
        return None if found is None else cls(*found.groups())


class SecretOption(click.ParamType[SecretVariable]):
    """``NAME=SECRET/KEY``."""

    name = "NAME=SECRET/KEY"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> SecretVariable:
        """The variable."""
        found = SecretVariable.of(str(value))
        if found is None:
            self.fail(f"{value} is not NAME=SECRET/KEY, as in HUB_TOKEN=hub/token", param, ctx)
        return found


SECRET = SecretOption()
