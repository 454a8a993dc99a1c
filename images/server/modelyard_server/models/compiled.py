"""The compiled program of a model, where its bundle has one that may be used; nothing of scikit-learn is imported."""

from __future__ import annotations

import numpy as np

from modelyard_api.contract.bundle import TWIN_FILE, Bundle
from modelyard_runtime.twin import Program, TwinFormatError, load
from modelyard_server.models.fetching import FetchedBundle
from modelyard_server.models.predictor import Answer


class NotUsedError(Exception):
    """The model is answered by the libraries that trained it; the message is a clause that says why."""


class CompiledPredictor:
    """A compiled program, which is much faster on a few rows than what it was compiled from."""

    def __init__(self, program: Program) -> None:
        self._program = program

    @property
    def gives_probabilities(self) -> bool:
        """Whether the program knows them."""
        return self._program.gives_probabilities

    def predict(self, matrix: np.ndarray, *, probabilities: bool) -> Answer:
        """Answers of the program."""
        found = self._program.predict(matrix, probabilities=probabilities)
        return Answer(found.values, found.probabilities)


def load_compiled(fetched: FetchedBundle) -> CompiledPredictor:
    """The program of a bundle, not yet proven on its golden requests.

    Raises NotUsedError where the certificate, or the program's form or shape, forbids it; BundleError where its file is
    not the one that the bundle names.
    """
    bundle = fetched.bundle
    certificate = bundle.certificate
    if certificate is None:
        raise NotUsedError("the bundle has no certificate of a compiled program")
    if not certificate.used:
        raise NotUsedError(certificate.reason or "its certificate forbids it")
    if fetched.golden is None or not fetched.golden.rows:
        raise NotUsedError("the bundle has no golden requests to prove it with")
    if all(file.name != TWIN_FILE for file in bundle.files):
        raise NotUsedError(f"the bundle has no {TWIN_FILE}")
    content = fetched.file(TWIN_FILE)
    try:
        program = load(content)
    except TwinFormatError as error:
        raise NotUsedError(f"{TWIN_FILE} {error.message}") from error
    _check_shape(program, bundle)
    return CompiledPredictor(program)


def _check_shape(program: Program, bundle: Bundle) -> None:
    if program.width != len(bundle.inputs):
        raise NotUsedError(f"{TWIN_FILE} takes {program.width} inputs, the bundle names {len(bundle.inputs)}")
    classes = [] if program.classes is None else program.classes.tolist()
    if classes != bundle.classes:
        raise NotUsedError(f"{TWIN_FILE} knows other labels than the bundle names")
