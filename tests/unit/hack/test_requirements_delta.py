"""What an image installs on top of another one."""

from requirements_delta import delta

BASE = """\
# comment
numpy==2.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
httpx==0.28 \\
    --hash=sha256:cc
"""


def test_what_the_base_has_is_left_out() -> None:
    wanted = BASE + "duckdb==1.4 \\\n    --hash=sha256:dd\n"
    assert delta(BASE, wanted) == "duckdb==1.4 \\\n    --hash=sha256:dd\n"


def test_another_version_is_not_what_the_base_has() -> None:
    assert delta(BASE, "numpy==2.1 \\\n    --hash=sha256:ee\n").startswith("numpy==2.1")


def test_nothing_is_left_of_the_same_requirements() -> None:
    assert delta(BASE, BASE) == ""
