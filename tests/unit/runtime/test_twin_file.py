"""A compiled program's file: the same bytes for the same program, and nothing but such bytes is taken."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modelyard_runtime.twin import TwinFormatError, compile_model, load
from modelyard_runtime.twin.document import digest

Header = dict[str, Any]
START = 16
"""Magic and length of the header."""


@pytest.fixture(scope="module")
def content() -> bytes:
    X = np.random.default_rng(0).normal(size=(50, 3))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, np.arange(50) % 3)
    return compile_model(model).dump()


def split(content: bytes) -> tuple[Header, bytes]:
    end = START + int.from_bytes(content[8:START], "little")
    header: Header = json.loads(content[START:end])
    return header, content[end:]


def joined(content: bytes, header: Header, body: bytes) -> bytes:
    written = json.dumps(header).encode()
    written += b" " * (-(START + len(written)) % 8)
    return content[:8] + len(written).to_bytes(8, "little") + written + body


def changed(content: bytes, change: Callable[[Header], object]) -> bytes:
    header, body = split(content)
    change(header)
    return joined(content, header, body)


def test_the_same_model_gives_the_same_file_and_a_file_gives_itself(content: bytes) -> None:
    again = load(content).dump()
    assert again == content
    assert digest(again) == digest(content)
    assert digest(content) != digest(content + b"x")


def test_arrays_of_a_file_cannot_be_written_to(content: bytes) -> None:
    assert not any(
        array.flags.writeable for child in load(content).node.children for array in child.arrays.values()
    )


@pytest.mark.parametrize("length", [0, 1, 7, 8, 15, 16, 40, -1, -8])
def test_a_file_that_was_cut_is_refused(content: bytes, length: int) -> None:
    with pytest.raises(TwinFormatError):
        load(content[:length])


def test_a_file_with_something_behind_it_is_refused(content: bytes) -> None:
    with pytest.raises(TwinFormatError, match="longer or shorter"):
        load(content + b"\0" * 8)


def test_a_pickle_is_no_program() -> None:
    with pytest.raises(TwinFormatError, match="no compiled program"):
        load(b"\x80\x04cos\nsystem\n(S'true'\ntR." + b" " * 40)


def nested(header: Header) -> None:
    for _ in range(50):
        header["root"] = {**header["root"], "children": [header["root"]]}


def step(header: Header, at: int) -> dict[str, Any]:
    found: dict[str, Any] = header["root"]["children"][at]
    return found


HOSTILE: dict[str, Callable[[Header], object]] = {
    "another version": lambda h: h.update(version=2),
    "no root": lambda h: h.pop("root"),
    "a root that is a list": lambda h: h.update(root=[]),
    "a thousand steps deep": nested,
    "a key that nobody knows": lambda h: step(h, 0).update(call="os.system"),
    "an unknown transformer": lambda h: step(h, 0).update(kind="exec"),
    "an unknown estimator": lambda h: step(h, 1).update(kind="exec"),
    "an unknown operation": lambda h: step(h, 0)["settings"].update(operations=["__import__", "divide"]),
    "operations that are no list": lambda h: step(h, 0)["settings"].update(operations="divide"),
    "far too many operations": lambda h: step(h, 0)["settings"].update(operations=["divide"] * 99),
    "an array that is not there": lambda h: step(h, 1)["arrays"].update(weights=99),
    "an array before the first": lambda h: step(h, 1)["arrays"].update(weights=-1),
    "an array by truth value": lambda h: step(h, 1)["arrays"].update(weights=True),
    "an array of another shape": lambda h: step(h, 1)["arrays"].update(
        weights=step(h, 1)["arrays"]["intercept"]
    ),
    "an array of objects": lambda h: h["arrays"][0].update(type="O"),
    "an array of many axes": lambda h: h["arrays"][0].update(shape=[1] * 40),
    "a negative length": lambda h: h["arrays"][0].update(shape=[-3]),
    "a length that overflows": lambda h: h["arrays"][0].update(shape=[2**32, 2**32]),
    "a length that is no number": lambda h: h["arrays"][0].update(shape=["3"]),
    "a width that is not the weights'": lambda h: step(h, 0)["settings"].update(width=4),
    "a width without end": lambda h: h["root"]["settings"].update(width=10**30),
    "a negative width": lambda h: h["root"]["settings"].update(width=-1),
    "no labels": lambda h: h["root"].update(arrays={}),
    "too few labels": lambda h: h["root"].update(arrays={}, texts={"classes": ["a", "b"]}),
    "labels that are no texts": lambda h: h["root"].update(arrays={}, texts={"classes": [1, 2, 3]}),
    "no steps": lambda h: h["root"].update(children=[]),
    "an estimator in the middle": lambda h: h["root"].update(children=[step(h, 1), step(h, 1)]),
    "probabilities of another kind": lambda h: step(h, 1)["settings"].update(probabilities="eval"),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_header_is_refused(content: bytes, change: Callable[[Header], object]) -> None:
    with pytest.raises(TwinFormatError):
        load(changed(content, change))


def test_a_header_that_claims_to_be_endless_is_refused(content: bytes) -> None:
    with pytest.raises(TwinFormatError, match="longer than the file"):
        load(content[:8] + (1 << 62).to_bytes(8, "little") + content[START:])


@pytest.mark.parametrize("text", [b"{", b"[" * 100_000, b'{"version": NaN}', b"\xff" * 20, b'"x"'])
def test_a_header_that_is_not_json_is_refused(content: bytes, text: bytes) -> None:
    with pytest.raises(TwinFormatError):
        load(content[:8] + len(text).to_bytes(8, "little") + text)


def test_a_code_outside_of_the_encoder_is_refused() -> None:
    X = np.arange(40.0).reshape(-1, 1) % 4
    content = compile_model(make_pipeline(OneHotEncoder(), Ridge()).fit(X, np.arange(40.0))).dump()
    header, body = split(content)
    position = sum(
        8 * int(np.prod(entry["shape"])) for entry in header["arrays"][: step(header, 0)["arrays"]["codes0"]]
    )
    for code in (4.0, -2.0, 1e9, 0.5, float("nan"), float("inf")):
        bad = body[:position] + np.float64(code).tobytes() + body[position + 8 :]
        with pytest.raises(TwinFormatError, match="codes0"):
            load(joined(content, header, bad))
