"""Served models whose predictors answer what a test wants."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np

from modelyard_api.contract.bundle import Bundle
from modelyard_api.contract.route import RoutedModel
from modelyard_server.metrics import ServerMetrics
from modelyard_server.models.loading import LoadedModel
from modelyard_server.models.predictor import Answer, Predictor
from modelyard_server.serving import Role, ServedModel
from modelyard_server.signature import Reader, Signature
from tests.support.bundles import build_bundle, forest

ROW = {"a": 1.0, "b": 2.0, "c": 3.0}
_FITTED = forest(trees=2)


@dataclass(frozen=True)
class Constant:
    """Answers every request alike, or fails alike."""

    answer: Answer | Exception
    gives_probabilities: bool = False

    def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        """The answer."""
        del matrix, probabilities
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass(frozen=True)
class Waiting:
    """Answers when it is let."""

    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    let: threading.Event = field(default_factory=threading.Event)
    gives_probabilities: bool = False

    def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        """Zeros, later."""
        del probabilities
        self.entered.release()
        self.let.wait(30)
        return Answer(np.zeros(len(matrix)))


def served(
    predictor: Predictor, row_seconds: float = 1e-5, version: str = "7", role: Role = Role.CHAMPION
) -> ServedModel:
    """A version of a model of three numbers, answered by this predictor."""
    bundle = Bundle.model_validate(build_bundle(_FITTED).document)
    signature = Signature(tuple(bundle.inputs))
    reader = Reader(signature)
    digest = "sha256:0" if version == "7" else f"sha256:{version}"
    model = LoadedModel(digest, bundle, signature, reader, predictor, (), row_seconds, "it is a test")
    routed = RoutedModel(version=version, run_id="run", model_digest=digest, bundle_uri="s3://b/k")
    metrics = ServerMetrics().of_model("forest", version, role, [])
    return ServedModel("forest", role, routed, model, metrics)
