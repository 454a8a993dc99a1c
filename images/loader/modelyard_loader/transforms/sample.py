"""sample: a share of the rows by hash of seed and key, so that each row's fate depends on its key alone."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from modelyard_api.v1alpha1.transform_rows import Sample
from modelyard_loader.transforms.hashing import HASHES, key_hash
from modelyard_loader.transforms.relation import Made, Relation


def sample_rows(transform: Sample, relation: Relation) -> Made:
    """The rows that stay."""
    last = int(Decimal(transform.percent).scaleb(6)) * HASHES // 10**8 - 1
    threshold = exp.cast(exp.Literal.string(str(last)), exp.DType.UINT128)
    return relation.fewer_rows(exp.LTE(this=key_hash(relation, transform.seed), expression=threshold))
