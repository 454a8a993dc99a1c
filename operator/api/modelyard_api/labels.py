"""Labels, annotations and names of children: what finds an object again after a restart."""

from __future__ import annotations

import hashlib

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "modelyard"
FIELD_MANAGER = "modelyard"

DATASET = "modelyard.dev/dataset"
TRAINING_JOB = "modelyard.dev/training-job"
PROMOTION = "modelyard.dev/promotion"
PROMOTION_STEP = "modelyard.dev/promotion-step"
"""Label of the pods that carry out a step of a ModelPromotion: its Service must not take them for servers."""

ATTEMPT = "modelyard.dev/attempt"
FAILURES = "modelyard.dev/failures"
"""Annotation of a Job: how many attempts before it count against the resource's backoffLimit."""
MEMORY_LIMIT = "modelyard.dev/memory-limit"
"""Annotation of a TrainingJob's Job: its memory limit, where that was raised after an attempt ran out of memory."""
GENERATION = "modelyard.dev/generation"
ROUTE_DIGEST = "modelyard.dev/route-digest"

WARM_LOADER = "modelyard.dev/warm-loader"
"""Label of the pods that carry out small steps of all Datasets of their project."""
HANDED_STEP = "modelyard.dev/handed-step"
"""Annotation of such a pod: the step that was handed over last."""

RECIPE = "modelyard.dev/recipe"
"""Annotation of a Job of a Dataset or a ModelPromotion: identity of what it is for."""
STEP = "modelyard.dev/step"
"""Annotation of a Dataset's Job: number of the step that it carries out."""
REQUEST = "modelyard.dev/request"
"""Annotation of a Dataset's Job: value of the annotation that asked for it."""

LOAD_NOW = "modelyard.dev/load-now"
"""Annotation of a Dataset: a new value asks for one step by hand."""
VERIFY_NOW = "modelyard.dev/verify"
"""Annotation of a Dataset: a new value asks for a second build of the present versions."""
REBUILD_NOW = "modelyard.dev/rebuild"
"""Annotation of a Dataset: a new value asks for the working copy to be made again from S3."""
SWEEP_NOW = "modelyard.dev/sweep"
"""Annotation of a Dataset: a new value asks for retention to be carried out; ``dry-run…`` lists only."""
REQUESTED_BY = "modelyard.dev/requested-by"
"""Annotation of a Dataset: who asks, for the ledger."""

APPROVED_VERSION = "modelyard.dev/approved-version"
"""Annotation of a ModelPromotion with approval Manual: the version that may take charge."""

DRY_RUN = "modelyard.dev/dry-run"
"""Annotation of a TrainingJob: while its value is ``true`` nothing is done; the status says what would be."""

RUN_TAG_JOB = "modelyard.dev/training-job"
RUN_TAG_UID = "modelyard.dev/training-job-uid"
RUN_TAG_ATTEMPT = "modelyard.dev/attempt"
TAG_DATASET_DIGEST = "modelyard.dev/dataset-digest"
TAG_MODEL_DIGEST = "modelyard.dev/model-digest"
TAG_BUNDLE_URI = "modelyard.dev/bundle-uri"
TAG_NOT_SERVABLE = "modelyard.dev/not-servable"
"""Why no server can answer with a model; such a model has no bundle."""
TAG_IMAGE = "modelyard.dev/image"
TAG_REPLAY_OF = "modelyard.dev/replay-of"
"""Tag of a replay's run: the run that it makes again."""
TAG_REPLAY = "modelyard.dev/replay"
"""Tag of a replay's run: JSON of its answer."""
TAG_REPRODUCED = "modelyard.dev/reproduced"
"""Tag of a replay's run: true where nothing differs."""
TAG_CACHE_KEY = "modelyard.dev/cache-key"
TAG_CACHE_INGREDIENTS = "modelyard.dev/cache-ingredients"
"""What the key was made of, packed."""

NAME_LIMIT = 52
"""Longest name of a resource, so that ``child_name`` stays within the 63 characters of a label."""

_HASH_LENGTH = 10


def child_name(parent: str, *identity: str | int) -> str:
    """Name of a child that is the same whenever it is asked for: the parent's name and a hash of the identity.

    ``identity`` is whatever makes the child another one: the parent's uid, an attempt, a generation.
    """
    text = "\x00".join(str(part) for part in identity)
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{parent[:NAME_LIMIT]}-{digest}"
