"""Images are built in the order in which they stand on one another."""

from graphlib import CycleError

import pytest

from bringup.charts import image_values
from bringup.images import Image, building_order
from bringup.registry import registry_of


def test_a_base_comes_before_what_stands_on_it() -> None:
    order = building_order({"loader": ["runtime"], "trainer": ["runtime"], "runtime": [], "postgres": []})
    assert order == ["postgres", "runtime", "loader", "trainer"]


def test_images_that_stand_on_one_another_are_refused() -> None:
    with pytest.raises(CycleError):
        building_order({"a": ["b"], "b": ["a"]})


def test_the_tag_says_version_and_content() -> None:
    image = Image("loader", "0.1.0", "0123456789abcdef" * 4)
    assert image.reference == "modelyard/loader:0.1.0-0123456789ab"
    assert image.plain_reference == "modelyard/loader:0.1.0"


def test_the_chart_is_given_the_tags_where_it_looks_for_them() -> None:
    images = [Image(name, "0.1.0", "f" * 64) for name in ("operator", "trainer", "runtime", "postgres")]
    tag = {"image": {"tag": "0.1.0-ffffffffffff"}}
    assert image_values(images) == {"operator": tag, "postgres": tag, "pods": {"trainer": tag}}


@pytest.mark.parametrize(
    ("reference", "host"),
    [
        ("debian:trixie-slim", "docker.io"),
        ("kindest/node:v1.35.4", "docker.io"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io"),
        ("localhost:5000/a/b", "localhost:5000"),
    ],
)
def test_the_registry_of_an_image_is_read_off_its_name(reference: str, host: str) -> None:
    assert registry_of(reference) == host
