"""The program that starts own code and measures it, built as its image builds it."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from bringup.paths import REPOSITORY

_IMAGE = REPOSITORY / "images" / "trainer"
_SOURCE = _IMAGE / "meter" / "meter.c"


def build_meter(program: Path) -> None:
    """Makes the program; a machine without a C compiler leaves it to the tests on a cluster."""
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc here; the image has its own")
    line = re.search(r"RUN (gcc .*)", (_IMAGE / "Dockerfile").read_text())
    assert line is not None
    own = {"/src/meter": str(program), "/src/meter.c": str(_SOURCE)}
    subprocess.run([own.get(word, word) for word in shlex.split(line[1])], check=True)
