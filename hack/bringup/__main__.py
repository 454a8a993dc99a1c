"""The commands of the bring-up; `python3 -m bringup --help` lists them."""

import argparse
import signal
import sys

from bringup.cluster import ensure_cluster
from bringup.context import Context
from bringup.engine import ensure_engine
from bringup.errors import BringUpError
from bringup.images import ensure_images, image_names
from bringup.node import ensure_node_image
from bringup.registry import Registry
from bringup.tools import TOOLS, ensure_tools


def main(argv: list[str]) -> int:
    """Runs one command; 0 when it did what it says, 1 with the reason on standard error when not."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(prog="bringup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    tools = commands.add_parser("tools", help="finds or builds programs and prints where they are")
    tools.add_argument(
        "--only", nargs="+", choices=sorted(TOOLS), metavar="NAME", help=", ".join(sorted(TOOLS))
    )
    images = commands.add_parser("images", help="builds the platform's images that would differ")
    images.add_argument("--only", nargs="+", metavar="NAME", help="folders under images/")
    commands.add_parser("cluster", help="makes the kind cluster, or finds it")
    arguments = parser.parse_args(argv)
    context = Context.here()
    try:
        if arguments.command == "tools":
            for name, path in ensure_tools(context, arguments.only or sorted(TOOLS)).items():
                print(f"{name}\t{path}")
        elif arguments.command == "images":
            ensure_engine(context)
            for image in ensure_images(context, Registry(context), arguments.only or image_names(context)):
                print(image.reference)
        else:
            ensure_engine(context)
            ensure_cluster(context, ensure_node_image(context, Registry(context)))
    except BringUpError as error:
        print(f"bring-up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bring-up: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
