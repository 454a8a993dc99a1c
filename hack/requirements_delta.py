"""Print the pinned requirements of one file that another file does not have.

An image that stands on another one installs only these, so that what both need is one shared layer.
"""

import sys
from pathlib import Path


def entries(text: str) -> dict[str, str]:
    """Requirement blocks by their first line: a pinned name and the indented hashes under it."""
    blocks: dict[str, str] = {}
    current = ""
    for line in text.splitlines():
        if not line.strip() or line.startswith(("#", "--")):
            continue
        if not line[0].isspace():
            current = line
            blocks[current] = ""
        blocks[current] += line + "\n"
    return blocks


def delta(base: str, wanted: str) -> str:
    """The blocks of ``wanted`` whose pin is not in ``base``."""
    have = entries(base)
    return "".join(block for pin, block in entries(wanted).items() if pin not in have)


def main() -> None:
    """Take the two file names from the command line."""
    base, wanted = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:3])
    sys.stdout.write(delta(base, wanted))


if __name__ == "__main__":
    main()
