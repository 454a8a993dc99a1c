"""Fails where a Python file or a function is longer than a reader should have to hold in mind."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 60


def too_long(file: Path) -> Iterator[str]:
    """Yields one complaint for the file and one for each function past its limit."""
    text = file.read_text()
    lines = len(text.splitlines())
    if lines > FILE_LINES:
        yield f"{file}: {lines} lines, {FILE_LINES} are the limit"
    for node in ast.walk(ast.parse(text, str(file))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{file}:{node.lineno}: {node.name} has {length} lines, {FUNCTION_LINES} are the limit"


def main() -> int:
    """Looks at every tracked Python file."""
    listed = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True)
    files = [Path(name) for name in listed.stdout.splitlines()]
    complaints = [c for file in files if file.exists() for c in too_long(file)]
    print("\n".join(complaints) or f"{len(files)} Python files are within their limits")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
