"""The server's image looking at bundles for gates, as its pod does, on a real S3 store."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelyard_api.contract.outcome import TERMINATION_VARIABLE, InspectionOutcome, Outcome, parse_outcome
from modelyard_api.contract.route import RoutedModel
from modelyard_api.contract.steps import (
    CREDENTIALS_VARIABLE,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    STEP_VARIABLE,
    InspectionStep,
    Owner,
    Step,
    StoredBundle,
)
from tests.support.bundles import BuiltBundle, build_bundle, iris
from tests.support.forking import Program
from tests.support.programs import start_forked
from tests.support.s3 import S3Server
from tests.support.server_process import fresh_project

_SERVER = Program("modelyard_server", imports=("modelyard_server.inspection",))


@dataclass(frozen=True)
class Inspector:
    """A project's store, and the pod that looks into it."""

    s3: S3Server
    directory: Path
    project: str

    def write(self, bundle: BuiltBundle, version: str) -> StoredBundle:
        routed: RoutedModel = bundle.write(self.s3.store(self.project), version)
        return StoredBundle(version=version, uri=routed.bundle_uri, digest=routed.model_digest)

    def ended(self, candidate: StoredBundle, champion: StoredBundle | None = None) -> tuple[int, Outcome]:
        step = InspectionStep(
            owner=Owner(project=self.project, name="iris", uid="u", generation=1),
            candidate=candidate,
            champion=champion,
            s3=self.s3.endpoint(self.project),
        )
        for name, value in ((S3_ACCESS_KEY, self.s3.login.username), (S3_SECRET_KEY, self.s3.login.password)):
            (self.directory / name).write_text(value)
        answer = self.directory / "termination-log"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            STEP_VARIABLE: Step(inspection=step).model_dump_json(by_alias=True, exclude_unset=True),
            CREDENTIALS_VARIABLE: str(self.directory),
            TERMINATION_VARIABLE: str(answer),
        }
        status = start_forked(_SERVER, environment, self.directory).process.wait(60)
        outcome = parse_outcome(answer.read_text())
        assert outcome is not None
        return status, outcome

    def found(self, candidate: StoredBundle, champion: StoredBundle | None = None) -> InspectionOutcome:
        status, outcome = self.ended(candidate, champion)
        assert status == 0, outcome
        assert outcome.inspection is not None
        return outcome.inspection


@pytest.fixture
def inspector(minio_server: S3Server, tmp_path: Path) -> Inspector:
    return Inspector(minio_server, tmp_path, fresh_project())


def test_a_candidate_like_the_champion_has_nothing_against_it(inspector: Inspector) -> None:
    champion = inspector.write(build_bundle(iris(seed=1)), "1")
    candidate = inspector.write(build_bundle(iris()), "2")
    found = inspector.found(candidate, champion)
    assert (found.signature, found.inputs) == ([], 4)
    assert (found.environment, found.libraries) == ([], 1)
    alone = inspector.found(candidate)
    assert (alone.signature, alone.inputs) == ([], 0)


def test_what_clients_and_the_image_would_notice_is_told(inspector: Inspector) -> None:
    fitted = iris()
    champion = inspector.write(build_bundle(fitted), "1")
    narrower = build_bundle(fitted)
    first, *others = narrower.document["inputs"]
    narrower.document.update(
        inputs=others, target="colour", libraries=[{"name": "scikit-learn", "version": "0.1"}]
    )
    found = inspector.found(inspector.write(narrower, "2"), champion)
    assert found.signature == [
        f"the target is colour, was {fitted.target}",
        f'input "{first["name"]}" is gone: requests with it are refused',
    ]
    assert found.environment[0].startswith("scikit-learn 0.1, the server has ")


def test_a_bundle_that_is_not_there_or_not_the_promised_one_fails_both_gates(inspector: Inspector) -> None:
    champion = inspector.write(build_bundle(iris(seed=1)), "1")
    candidate = inspector.write(build_bundle(iris()), "2")
    other = inspector.found(candidate.model_copy(update={"digest": champion.digest}), champion)
    assert "the route says" in other.signature[0]
    assert other.environment == other.signature
    gone = inspector.found(candidate.model_copy(update={"uri": f"{candidate.uri}-gone"}), champion)
    assert "the bundle of version 2 is not there" in gone.signature[0]
    lost = inspector.found(candidate, champion.model_copy(update={"uri": f"{champion.uri}-gone"}))
    assert "nothing is known of version 1" in lost.signature[0]
    assert lost.environment == []
