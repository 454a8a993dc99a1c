"""Which classes a pipeline may name, their parameters, and the judgement of pipelines by that.

``catalog.json`` is generated from the libraries of the trainer image (``python -m modelyard_trainer.catalog``).
"""

from modelyard_api.catalog.check import check_evaluation, check_pipeline
from modelyard_api.catalog.model import Catalog, CatalogClass, Kind, load_catalog
from modelyard_api.catalog.problem import Problem
from modelyard_api.catalog.tuning import check_tuning

__all__ = [
    "Catalog",
    "CatalogClass",
    "Kind",
    "Problem",
    "check_evaluation",
    "check_pipeline",
    "check_tuning",
    "load_catalog",
]
