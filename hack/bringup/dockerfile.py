"""What a Dockerfile says about where it starts from and which files of the context it takes."""

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_ARGUMENT = re.compile(r"^ARG\s+(\w+)=(\S+)", re.IGNORECASE)
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_COPY = re.compile(r"^(?:COPY|ADD)\s+(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Dockerfile:
    """Images that it starts from, and paths of the context that it copies; without its own stages."""

    bases: tuple[str, ...]
    sources: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Dockerfile":
        """Reads instructions; continued lines and comments as the engine does."""
        values: dict[str, str] = {}
        stages: set[str] = set()
        bases: list[str] = []
        sources: list[str] = []
        for line in _instructions(text):
            if found := _ARGUMENT.match(line):
                values.setdefault(found[1], found[2])
            elif found := _FROM.match(line):
                base = _filled(found[1], values)
                if base not in stages and base != "scratch":
                    bases.append(base)
                if found[2]:
                    stages.add(found[2])
            elif found := _COPY.match(line):
                sources += _sources(_filled(found[1], values))
        return cls(tuple(dict.fromkeys(bases)), tuple(dict.fromkeys(sources)))


def expand(root: Path, source: str) -> list[Path]:
    """The paths under `root` that one source of COPY means; patterns may match several."""
    if any(c in source for c in "*?["):
        return sorted(root.glob(source))
    path = root / PurePosixPath(source)
    return [path] if path.exists() else []


def _instructions(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\s*\n", " ", "\n".join(lines))
    return [line.strip() for line in joined.splitlines() if line.strip()]


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda m: values.get(m[1], m[0]), text)


def _sources(rest: str) -> list[str]:
    words = rest.split()
    if any(w.startswith("--from=") for w in words):
        return []
    words = [w for w in words if not w.startswith("--")]
    if words and words[0].startswith("["):
        words = json.loads(" ".join(words))
    return [w.rstrip("/") for w in words[:-1]]
