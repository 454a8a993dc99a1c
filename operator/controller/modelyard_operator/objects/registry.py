"""What the operator reads of MLflow's registry."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from modelyard_api import labels


class _Answer(BaseModel):
    """MLflow's own spelling; what is not read is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class KeyValue(_Answer):
    """A tag."""

    key: str
    value: str = ""


class Version(_Answer):
    """A version of a registered model."""

    name: str
    version: str
    run_id: str = ""
    status: str = "READY"
    tags: tuple[KeyValue, ...] = ()

    @property
    def number(self) -> int:
        """The version as a number, by which versions are ordered."""
        return int(self.version)

    def tag(self, key: str) -> str | None:
        """Value of a tag."""
        return next((tag.value for tag in self.tags if tag.key == key and tag.value), None)

    @property
    def bundle_uri(self) -> str | None:
        """Address of the bundle; absent where the version is none of ours."""
        return self.tag(labels.TAG_BUNDLE_URI)

    @property
    def model_digest(self) -> str | None:
        """Digest of the bundle."""
        return self.tag(labels.TAG_MODEL_DIGEST)

    @property
    def is_servable(self) -> bool:
        """Whether our server can be pointed to it."""
        return self.bundle_uri is not None and self.model_digest is not None


class Alias(_Answer):
    """A name for a version."""

    alias: str
    version: str


class RegisteredModel(_Answer):
    """A model and its aliases."""

    name: str
    aliases: tuple[Alias, ...] = ()

    def alias(self, name: str) -> str | None:
        """Version that an alias points to."""
        return next((item.version for item in self.aliases if item.alias == name), None)


class VersionPage(_Answer):
    """Part of a list of versions."""

    model_versions: tuple[Version, ...] = ()
    next_page_token: str | None = None


class ModelPage(_Answer):
    """Part of a list of models."""

    registered_models: tuple[RegisteredModel, ...] = ()


class RunMetric(_Answer):
    """A metric of a run; MLflow writes NaN and infinities as words."""

    key: str
    value: float


class RunInfo(_Answer):
    """State of a run."""

    run_id: str = ""
    status: str = ""
    experiment_id: str = ""
    lifecycle_stage: str = "active"
    end_time: int = 0
    artifact_uri: str = ""


class RunData(_Answer):
    """Contents of a run."""

    metrics: tuple[RunMetric, ...] = ()
    tags: tuple[KeyValue, ...] = ()


class Run(_Answer):
    """A run."""

    info: RunInfo = RunInfo()
    data: RunData = RunData()

    def tag(self, key: str) -> str:
        """Value of a tag; empty without it."""
        return next((tag.value for tag in self.data.tags if tag.key == key), "")


class RunAnswer(_Answer):
    """Answer to a question for one run."""

    run: Run


class RunPage(_Answer):
    """Part of a list of runs."""

    runs: tuple[Run, ...] = ()
    next_page_token: str | None = None


class Experiment(_Answer):
    """The runs of one Dataset."""

    experiment_id: str
    name: str


class ExperimentPage(_Answer):
    """Part of a list of experiments."""

    experiments: tuple[Experiment, ...] = ()
    next_page_token: str | None = None


class File(_Answer):
    """A file or folder of a run."""

    path: str


class FilePage(_Answer):
    """A folder of a run."""

    files: tuple[File, ...] = ()


@dataclass(frozen=True)
class Earlier:
    """A finished run that later jobs may take."""

    run_id: str
    key: str
    dataset: str
    """Name of the Dataset that it was trained on."""
    ended: int
    """Milliseconds since 1970."""
    packed: str = field(default="", repr=False)
    """Its ingredients."""
    deleted: bool = False
