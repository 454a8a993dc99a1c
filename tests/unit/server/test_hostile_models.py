"""No file of the corpus runs anything, and each is refused with a word that says why."""

import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import skops.io

from modelyard_api.contract.bundle import GOLDEN_FILE, MODEL_FILE, TWIN_FILE, Bundle, GoldenRequest
from modelyard_server.errors import BundleError
from modelyard_server.models.archive import ArchiveLimits, inspect_archive
from modelyard_server.models.fetching import FetchedBundle
from modelyard_server.models.loading import load_model
from tests.support.bundles import build_bundle, build_compiled, iris
from tests.support.hostile import corpus
from tests.support.hostile_contents import boosters
from tests.support.hostile_twins import built, fitted, twins
from tests.support.waiting import until

CORPUS = corpus()
LIMITS = ArchiveLimits(total_bytes=16 * 1024 * 1024)
BOOSTERS = boosters()
TWINS = twins()
SECONDS = 5.0
"""A program that is refused costs no more than being read."""
REALLY_RUN = (
    "a constructor that is a command",
    "a set whose class is a process",
    "a loss whose constructor is a command",
    "a dict whose keys are made by a command",
    "a call of a method by its name",
)


DOCUMENT = build_bundle(iris()).document


def fetched(model: bytes) -> FetchedBundle:
    return FetchedBundle(Bundle.model_validate(DOCUMENT), None, {MODEL_FILE: model}.__getitem__)


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_file_is_refused_and_runs_nothing(name: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    payload = CORPUS[name]
    with pytest.raises(BundleError) as refusal:
        load_model(fetched(payload.forge(canary)), "sha256:" + "0" * 64, LIMITS)
    assert payload.word in str(refusal.value)
    assert not canary.exists()


@pytest.mark.parametrize("name", REALLY_RUN)
@pytest.mark.filterwarnings("ignore")
def test_the_payload_is_real_for_whoever_trusts_what_a_file_asks_for(name: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    content = CORPUS[name].forge(canary)
    trusting(content)
    until(canary.exists, 5, "the canary")


def trusting(content: bytes) -> None:
    """Loads as tutorials do: with every type that the file asks for."""
    try:
        skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))
    except Exception:  # noqa: BLE001  what it does after the command is of no interest
        return


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_hostile_booster_is_refused_without_ending_the_server(name: str, tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        load_model(fetched(BOOSTERS[name].forge(tmp_path)), "sha256:" + "0" * 64, LIMITS)


@pytest.mark.parametrize("name", TWINS)
def test_a_hostile_program_is_not_used_and_scikit_learn_answers_instead(name: str) -> None:
    twin = TWINS[name]
    model = fitted(twin.model)
    bundle = build_compiled(model)
    files = {**bundle.files, TWIN_FILE: twin.content()}
    assert files[TWIN_FILE] != built(twin.model)
    golden = GoldenRequest.model_validate_json(files[GOLDEN_FILE])
    start = time.perf_counter()
    loaded = load_model(
        FetchedBundle(Bundle.model_validate(bundle.document), golden, files.__getitem__), bundle.digest
    )
    assert time.perf_counter() - start < SECONDS
    assert not loaded.compiled
    assert loaded.not_compiled_because
    matrix = loaded.reader.matrix(loaded.reader.from_records(model.rows))
    expected = model.model.predict(matrix)
    assert np.array_equal(loaded.predictor.predict(matrix, probabilities=False).predictions, expected)


@pytest.mark.parametrize("seed", range(3))
def test_a_file_with_any_byte_changed_is_refused_or_read_and_never_raises_something_else(seed: int) -> None:
    generator = np.random.default_rng(seed)
    content = CORPUS["an archive packed in another way"].forge(Path())
    models = [build_bundle(iris()).files[MODEL_FILE], content]
    for _ in range(150):
        held = bytearray(models[generator.integers(len(models))])
        for place in generator.integers(len(held), size=generator.integers(1, 6)):
            held[place] = generator.integers(256)
        with suppress(BundleError):
            inspect_archive(bytes(held), LIMITS)


def test_the_corpus_has_at_least_thirty_files_and_as_many_programs() -> None:
    assert len(CORPUS) + len(BOOSTERS) >= 30
    assert len(TWINS) >= 30
