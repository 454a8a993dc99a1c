"""What can go wrong while something is brought up, said so that a person can act on it."""

from pathlib import Path


class BringUpError(Exception):
    """A step cannot go on; the message says why and what would help."""


class CommandFailedError(BringUpError):
    """A program ended badly; carries the end of what it printed and where the rest is."""

    def __init__(self, argv: list[str], code: int, log: Path, tail: list[str]) -> None:
        self.argv = argv
        self.code = code
        self.log = log
        self.tail = tail
        lines = "".join(f"\n  | {line}" for line in tail)
        super().__init__(
            f"{' '.join(argv[:6])} ended with {code}; its last lines:{lines}\n  whole log: {log}"
        )
