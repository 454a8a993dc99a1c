"""``python -m modelyard_trainer.catalog FILE [--check]``: writes the catalog, or fails where the file is not it."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from modelyard_trainer.catalog.render import render
from modelyard_trainer.catalog.scan import make_catalog


def main() -> int:
    """Writes or checks the file; the exit status is 1 where a checked file differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    with warnings.catch_warnings():
        # Importing every module of scikit-learn meets its own deprecations.
        warnings.simplefilter("ignore")
        text = render(make_catalog())
    file: Path = arguments.file
    if arguments.check:
        if file.is_file() and file.read_text("utf-8") == text:
            return 0
        sys.stderr.write(f"{file} is not the catalog of the installed libraries: run 'make fmt'\n")
        return 1
    file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
