"""Reading version numbers, and the oldest versions of other people's tools that are good enough here."""

import re
from dataclasses import dataclass
from functools import total_ordering

_NUMBERS = re.compile(r"(?:^|[^0-9.])(?:v|go)?(\d+)\.(\d+)(?:\.(\d+))?")


@total_ordering
@dataclass(frozen=True)
class Version:
    """Major, minor and patch; pre-releases count as the release that they precede."""

    major: int
    minor: int
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> "Version | None":
        """Finds the first version in what a program says of itself, such as `go version go1.26.8 linux/amd64`."""
        found = _NUMBERS.search(text)
        if not found:
            return None
        return cls(int(found[1]), int(found[2]), int(found[3] or 0))

    def __lt__(self, other: "Version") -> bool:
        return (self.major, self.minor, self.patch) < (other.major, other.minor, other.patch)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def required_version(go_mod: str, module: str) -> str:
    """The version, with its `v`, of a module that a go.mod requires."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+(v\S+)", go_mod, re.MULTILINE)
    if not found:
        raise ValueError(f"go.mod does not require {module}")
    return found[1]
