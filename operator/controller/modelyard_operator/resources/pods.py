"""Pods that pass Pod Security ``restricted``: no token, read-only root, credentials as files and only those needed."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard_api.contract import steps
from modelyard_operator.objects.pods import (
    EmptyDir,
    KeyToPath,
    Projected,
    ProjectedSecret,
    Projection,
    SecretVolume,
    SecurityContext,
    Volume,
    VolumeMount,
)

POSTGRES_KEYS = (steps.POSTGRES_USERNAME, steps.POSTGRES_PASSWORD)
S3_KEYS = (steps.S3_ACCESS_KEY, steps.S3_SECRET_KEY)
MLFLOW_KEYS = (steps.MLFLOW_USERNAME, steps.MLFLOW_PASSWORD)

RESTRICTED = SecurityContext()

_READABLE_BY_GROUP = 0o440


def tmp_and_credentials(secret: str, keys: Sequence[str], tmp_size: str) -> list[Volume]:
    """Room for temporary files, and the credentials that a pod needs."""
    source = Projection(
        secret=ProjectedSecret(name=secret, items=[KeyToPath(key=key, path=key) for key in keys])
    )
    return [
        Volume(name="tmp", empty_dir=EmptyDir(size_limit=tmp_size)),
        Volume(name="credentials", projected=Projected(sources=[source], default_mode=_READABLE_BY_GROUP)),
    ]


def mounts() -> list[VolumeMount]:
    """Where the two volumes are seen."""
    return [
        VolumeMount(name="tmp", mount_path="/tmp"),  # noqa: S108  the pod's own
        VolumeMount(name="credentials", mount_path=steps.CREDENTIALS_DIRECTORY, read_only=True),
    ]


def source_volume(secret: str) -> Volume:
    """The source's credentials. Without the Secret the directory is empty, and the loader says what is missing."""
    return _secret_volume("source", secret)


def source_mount() -> VolumeMount:
    """Where the source's credentials are seen."""
    return VolumeMount(name="source", mount_path=steps.SOURCE_DIRECTORY, read_only=True)


def keys_volume(secret: str) -> Volume:
    """The keys of a server's clients. Without the Secret the directory is empty, and the server lets nobody in."""
    return _secret_volume("keys", secret)


def keys_mount() -> VolumeMount:
    """Where they are seen."""
    return VolumeMount(name="keys", mount_path=steps.KEYS_DIRECTORY, read_only=True)


def _secret_volume(name: str, secret: str) -> Volume:
    return Volume(
        name=name,
        secret=SecretVolume(secret_name=secret, optional=True, default_mode=_READABLE_BY_GROUP),
    )
