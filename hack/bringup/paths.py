"""Where things live: the checkout, its build directory, and the cache that outlives both."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Paths:
    """Directories of one checkout on one machine."""

    repository: Path
    cache: Path

    @classmethod
    def of(cls, environment: Mapping[str, str], repository: Path = REPOSITORY) -> "Paths":
        """Finds the cache: `MODELYARD_CACHE`, else the user's cache directory."""
        named = environment.get("MODELYARD_CACHE")
        if named:
            return cls(repository, Path(named).resolve())
        home = environment.get("XDG_CACHE_HOME") or str(
            Path(environment.get("HOME", "~")).expanduser() / ".cache"
        )
        return cls(repository, Path(home).resolve() / "modelyard")

    @classmethod
    def here(cls) -> "Paths":
        return cls.of(os.environ)

    @property
    def build(self) -> Path:
        return self.repository / "build"

    @property
    def logs(self) -> Path:
        return self.build / "logs"

    @property
    def kubeconfig(self) -> Path:
        return self.build / "kubeconfig"

    @property
    def modules(self) -> Path:
        return self.repository / "hack" / "modules"

    @property
    def images(self) -> Path:
        return self.repository / "images"

    @property
    def manifests(self) -> Path:
        return self.repository / "manifests"
