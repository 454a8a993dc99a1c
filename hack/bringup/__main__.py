"""The commands of the bring-up; `python3 -m bringup --help` lists them."""

import argparse
import signal
import sys
from collections.abc import Callable

from bringup.charts import install
from bringup.cluster import Cluster, ensure_cluster
from bringup.context import Context
from bringup.debian import install_packages
from bringup.down import down
from bringup.engine import ensure_engine
from bringup.errors import BringUpError
from bringup.images import ensure_images, image_names, load_images
from bringup.node import ensure_node_image
from bringup.own_code import provide_own_code
from bringup.registry import Registry
from bringup.samples import run_samples
from bringup.status import show_addresses, show_status
from bringup.tools import TOOLS, ensure_tools


class Commands:
    """One method a command; each does what it needs to have done before it."""

    def __init__(self, context: Context, only: list[str] | None) -> None:
        self._context = context
        self._only = only
        self._registry = Registry(context)

    def tools(self) -> None:
        """Finds or builds programs and prints where they are."""
        for name, path in ensure_tools(self._context, self._only or sorted(TOOLS)).items():
            print(f"{name}\t{path}")

    def packages(self) -> None:
        """Installs Debian packages that tests run as servers on this machine."""
        install_packages(self._context, self._only or [])

    def engine(self) -> None:
        """Starts a container engine if none answers."""
        ensure_engine(self._context)

    def cluster(self) -> Cluster:
        """Makes the kind cluster, or finds it."""
        self._context.reporter.heading("cluster")
        ensure_engine(self._context)
        image = ensure_node_image(self._context, self._registry)
        return ensure_cluster(self._context, image)

    def images(self) -> None:
        """Builds the platform's images that would differ."""
        self._context.reporter.heading("images")
        ensure_engine(self._context)
        for image in ensure_images(self._context, self._registry, self._only or image_names(self._context)):
            self._context.reporter.say(f"  {image.reference}")

    def install(self) -> None:
        """Makes cluster and images, and installs the charts."""
        self._install()

    def samples(self) -> None:
        """installs, applies the samples, waits for them, asks for predictions."""
        cluster = self._install()
        self._context.reporter.heading("samples")
        run_samples(self._context, cluster)
        show_addresses(self._context)

    def containers(self) -> None:
        """Builds the sample images with own code and gives them to the cluster."""
        cluster = self.cluster()
        self._context.reporter.heading("containers")
        for name in provide_own_code(self._context, self._registry, cluster):
            self._context.reporter.say(f"  {name}")

    def status(self) -> None:
        """Shows what runs."""
        show_status(self._context)

    def down(self) -> None:
        """Removes all that was brought up; the cache stays."""
        self._context.reporter.heading("down")
        down(self._context)

    def _install(self) -> Cluster:
        cluster = self.cluster()
        with self._context.store.locked(f"install-{cluster.name}"):
            self._context.reporter.heading("images")
            images = ensure_images(self._context, self._registry, image_names(self._context))
            load_images(self._context, cluster, images)
            self._context.reporter.heading("charts")
            install(self._context, cluster, images)
        return cluster


_COMMANDS = (
    "tools",
    "packages",
    "engine",
    "cluster",
    "images",
    "install",
    "samples",
    "containers",
    "status",
    "down",
)
_WITH_ONLY = {"tools": ", ".join(sorted(TOOLS)), "packages": "their names", "images": "folders under images/"}


def main(argv: list[str]) -> int:
    """Runs one command; 0 when it did what it says, 1 with the reason on standard error when not."""
    arguments = _parse(argv)
    # As for an interrupt: what runs underneath is ended, what is half made is not taken for whole.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    commands = Commands(Context.here(), arguments.only)
    command: Callable[[], object] = getattr(commands, arguments.command)
    try:
        command()
    except BringUpError as error:
        print(f"bring-up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bring-up: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bringup", description=__doc__)
    parser.set_defaults(only=None)
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in _COMMANDS:
        one = parsers.add_parser(name, help=getattr(Commands, name).__doc__)
        if name in _WITH_ONLY:
            one.add_argument("--only", nargs="+", metavar="NAME", help=_WITH_ONLY[name])
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
