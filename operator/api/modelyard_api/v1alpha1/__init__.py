"""Version v1alpha1 of the three kinds."""

from modelyard_api.v1alpha1.dataset import Dataset, DatasetSpec
from modelyard_api.v1alpha1.dataset_status import DatasetStatus
from modelyard_api.v1alpha1.model_promotion import ModelPromotion, ModelPromotionSpec, ModelPromotionStatus
from modelyard_api.v1alpha1.training_job import (
    TrainingJob,
    TrainingJobFields,
    TrainingJobSpec,
    TrainingJobStatus,
)

__all__ = [
    "Dataset",
    "DatasetSpec",
    "DatasetStatus",
    "ModelPromotion",
    "ModelPromotionSpec",
    "ModelPromotionStatus",
    "TrainingJob",
    "TrainingJobFields",
    "TrainingJobSpec",
    "TrainingJobStatus",
]
