"""No file of the corpus runs anything, and each is refused with a word that says why."""

from pathlib import Path

import pytest
import skops.io

from modelyard_api.contract.bundle import MODEL_FILE, Bundle
from modelyard_server.errors import BundleError
from modelyard_server.models.archive import ArchiveLimits
from modelyard_server.models.fetching import FetchedBundle
from modelyard_server.models.loading import load_model
from tests.support.bundles import build_bundle, iris
from tests.support.hostile import corpus
from tests.support.waiting import until

CORPUS = corpus()
LIMITS = ArchiveLimits(total_bytes=16 * 1024 * 1024)
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


def test_the_corpus_has_at_least_thirty_files() -> None:
    assert len(CORPUS) >= 30
