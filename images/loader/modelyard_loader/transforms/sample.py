"""sample: a share of the rows by hash of seed and key, so that each row's fate depends on its key alone."""

from __future__ import annotations

from decimal import Decimal

from sqlglot import exp

from modelyard_api.v1alpha1.transform_rows import Sample
from modelyard_loader.transforms.hashing import key_hash
from modelyard_loader.transforms.relation import Made, Relation

_LARGEST = 2**64 - 1


def sample_rows(transform: Sample, relation: Relation) -> Made:
    """The rows that stay."""
    share = Decimal(transform.percent) / 100
    last = min(int(share * 2**64), _LARGEST)
    threshold = exp.cast(exp.Literal.string(str(last)), exp.DType.UBIGINT)
    return relation.fewer_rows(exp.LTE(this=key_hash(relation, transform.seed), expression=threshold))
