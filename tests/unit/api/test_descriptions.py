"""Texts below fields are the descriptions of their properties."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelyard_api.base import ApiModel
from modelyard_api.crd.descriptions import add_descriptions, models_of


class Leaf(ApiModel):
    """A leaf."""

    own_colour: str = "green"
    """Of the leaf,
    on both sides."""
    bare: int = 0


class Branch(ApiModel):
    """A branch."""

    leaves: Annotated[dict[str, list[Leaf]], Field(max_length=3)] | None = None
    """Those that are left."""
    said: Annotated[int, Field(description="what the field says itself")] = 0
    """What stands below."""
    length: int = 0
    """In metres."""


class Twig(Branch):
    """A branch that is told of otherwise."""

    length: int = 1
    thin: bool = True
    """Whether it bends."""


def properties(model: type[ApiModel], definition: str | None = None) -> dict[str, str | None]:
    schema = model.model_json_schema(by_alias=True)
    add_descriptions(model, schema)
    node = schema["$defs"][definition] if definition else schema
    return {name: each.get("description") for name, each in node["properties"].items()}


def test_a_text_is_found_by_the_name_on_the_wire_and_what_a_field_says_itself_wins() -> None:
    assert properties(Branch) == {
        "leaves": "Those that are left.",
        "said": "what the field says itself",
        "length": "In metres.",
    }


def test_models_within_models_are_described_too() -> None:
    assert models_of(Branch) == [Branch, Leaf]
    assert properties(Branch, "Leaf") == {"ownColour": "Of the leaf,\non both sides.", "bare": None}


def test_texts_are_inherited_unless_a_field_is_declared_anew() -> None:
    assert properties(Twig) == {
        "leaves": "Those that are left.",
        "said": "what the field says itself",
        "length": None,
        "thin": "Whether it bends.",
    }


def test_keys_keep_the_order_of_the_alphabet() -> None:
    schema = Branch.model_json_schema()
    add_descriptions(Branch, schema)
    for node in schema["properties"].values():
        assert list(node) == sorted(node)
