"""Looks for an earlier run of the same ingredients, once a TrainingJob knows its data and before it has a Job."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard_api import labels
from modelyard_api.caching import (
    Ingredients,
    Surroundings,
    ingredients_of,
    key_of,
    pack,
    unknown_ingredient,
)
from modelyard_api.catalog import load_catalog
from modelyard_api.contract.steps import CacheEntry
from modelyard_api.metrics import METRICS
from modelyard_api.v1alpha1.training_job import CachePolicy, DatasetVersion, LearningSpec, ModelRef
from modelyard_operator.decisions.caching import Found, Hit, Looked, nearest
from modelyard_operator.errors import TrackingError, UnavailableError
from modelyard_operator.objects.registry import Earlier
from modelyard_operator.objects.steps import Pinned
from modelyard_operator.reconcilers.context import Context

_MODEL_FOLDER = "model"


@dataclass(frozen=True)
class Asked:
    """What a TrainingJob asks for, as far as its result goes."""

    project: str
    spec: LearningSpec
    data: DatasetVersion | Pinned


def surroundings_of(context: Context) -> Surroundings:
    """What results follow from in this installation."""
    trainer = context.settings.trainer
    return Surroundings(trainer.image, trainer.resources, load_catalog().libraries)


def cache_entry(context: Context, asked: Asked) -> CacheEntry | None:
    """How later jobs find this one's run."""
    ingredients = _ingredients(context, asked)
    if asked.spec.cache_policy is CachePolicy.NEVER or isinstance(ingredients, str):
        return None
    return CacheEntry(key=key_of(ingredients), ingredients=pack(ingredients))


async def look(context: Context, asked: Asked, *, begun: bool) -> Looked:
    """The earlier run that is the answer, or why there is none; one that has begun is carried out in any case."""
    ingredients = _ingredients(context, asked)
    if isinstance(ingredients, str):
        return Looked(Found.UNKNOWN, words=f"Nothing is looked for: {ingredients}")
    key = key_of(ingredients)
    policy = asked.spec.cache_policy
    if policy is not CachePolicy.USE:
        return Looked(Found.OFF, key, words=f"spec.cachePolicy is {policy}")
    try:
        return await _look(context, asked, key, ingredients, begun)
    except (UnavailableError, TrackingError) as error:
        return Looked(Found.UNASKED, key, because=("mlflow",), words=f"It is trained anew: {error}")


async def _look(
    context: Context,
    asked: Asked,
    key: str,
    ingredients: Ingredients,
    begun: bool,  # noqa: FBT001  passed on
) -> Looked:
    run = await context.earlier.find(asked.project, key)
    gone = context.earlier.gone(asked.project, key)
    if run is None and gone is not None:
        return _lost(key, *gone)
    if run is None:
        return _compared(context, asked, key, ingredients)
    if begun:
        words = f"Run {run.run_id} of the same data, spec and image was not there when this one began"
        return Looked(Found.GONE, key, because=("run",), nearest=run.run_id, words=words)
    found = await _taken(context, asked, run)
    if isinstance(found, Hit):
        return Looked(Found.HIT, key, hit=found, nearest=run.run_id)
    context.earlier.forget(asked.project, run, found)
    return _lost(key, run, found)


def _compared(context: Context, asked: Asked, key: str, ingredients: Ingredients) -> Looked:
    runs = context.earlier.comparable(asked.project)
    best = nearest(ingredients, asked.spec.dataset_ref.name, runs)
    if best is None:
        return Looked(Found.NONE, key)
    return Looked(Found.NONE, key, because=tuple(best[1]), nearest=best[0].run_id)


async def _taken(context: Context, asked: Asked, earlier: Earlier) -> Hit | str:
    """What the run made, or the word for what of it is gone."""
    tracking, project = context.tracking, asked.project
    run = await tracking.living_run(project, earlier.run_id)
    if run is None:
        return "run"
    if not await tracking.has_files(project, earlier.run_id, _MODEL_FOLDER):
        return "model"
    judged = asked.spec.evaluation
    wanted = {*METRICS, *judged.metrics, judged.primary}
    metrics = {item.key: item.value for item in run.data.metrics if item.key in wanted}
    why = run.tag(labels.TAG_NOT_SERVABLE)
    if asked.spec.register_ is None:
        return Hit(earlier.run_id, metrics, None, why)
    name = asked.spec.register_.model_name
    version = await tracking.version_of(project, name, earlier.run_id)
    if version is None or version.model_digest is None:
        return "model"
    model = ModelRef(name=name, version=version.version, digest=version.model_digest)
    return Hit(earlier.run_id, metrics, model, why)


def _lost(key: str, run: Earlier, what: str) -> Looked:
    lost = "it was deleted" if what == "run" else "its model was deleted"
    words = f"Run {run.run_id} had the same data, spec and image, but {lost}"
    return Looked(Found.GONE, key, because=(what,), nearest=run.run_id, words=words)


def _ingredients(context: Context, asked: Asked) -> Ingredients | str:
    """The ingredients, or the one that is not known."""
    data = None if isinstance(asked.data, Pinned) else asked.data
    surroundings = surroundings_of(context)
    unknown = unknown_ingredient(asked.spec, data, surroundings)
    if unknown is not None or data is None:
        return unknown or ""
    return ingredients_of(asked.spec, data, surroundings)
