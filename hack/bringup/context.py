"""What every step is given: places, a way to run programs, a way to tell, a store of results."""

from dataclasses import dataclass

from bringup.paths import Paths
from bringup.report import Reporter
from bringup.shell import Shell
from bringup.store import Store


@dataclass(frozen=True)
class Context:
    """Composed once per command."""

    paths: Paths
    shell: Shell
    reporter: Reporter
    store: Store

    @classmethod
    def here(cls) -> "Context":
        paths = Paths.here()
        reporter = Reporter()
        binaries = paths.cache / "bin"
        return cls(paths, Shell(paths.logs, reporter, [binaries]), reporter, Store(paths.cache / "store"))
