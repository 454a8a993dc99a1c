"""A routed version from the store into memory: fetched, verified, built and proven."""

from __future__ import annotations

from modelyard_api.contract.route import RoutedModel
from modelyard_api.contract.steps import ServerSettings
from modelyard_runtime.s3 import ObjectStore, Outage
from modelyard_server.models.archive import ArchiveLimits
from modelyard_server.models.fetching import fetch_bundle
from modelyard_server.models.loading import LoadedModel, load_model
from modelyard_server.models.memory import Room

S3_PATIENCE = Outage(total=15.0, connect=3.0, retries=4)


def bring(
    store: ObjectStore, settings: ServerSettings, routed: RoutedModel, room: Room, *, tried: bool
) -> LoadedModel:
    """The model of a routed version; ``tried`` where a process that answers nobody has been given it first, or is this one.

    Raises BundleError where it will never be served, StepError where the store does not answer.
    """
    most = settings.max_model_bytes
    fetched = fetch_bundle(store, routed, most, room)
    limits = ArchiveLimits(total_bytes=2 * most, room=room)
    return load_model(fetched, routed.model_digest, limits, settings.max_rows, probed=tried)
