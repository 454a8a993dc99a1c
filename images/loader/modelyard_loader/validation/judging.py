"""Judges versions that are built and not yet published: in one pass over the rows where that takes little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial

import pyarrow as pa
from sqlglot import exp

from modelyard_api.contract.manifest import Column, ColumnStatistics
from modelyard_api.v1alpha1.comparisons import hold
from modelyard_api.v1alpha1.dataset_status import RuleStatus, ValidationStatus
from modelyard_api.v1alpha1.validation import Severity, Unit
from modelyard_loader.transforms.engine import SOURCE, Engine, EngineError
from modelyard_loader.transforms.limits import Limits
from modelyard_loader.transforms.relation import named, table_ref
from modelyard_loader.transforms.rows import Rows
from modelyard_loader.validation.counting import Facts, arrow_schema
from modelyard_loader.validation.rulebook import PlannedRule, Rulebook
from modelyard_runtime.errors import DataError

_BROKEN_SHOWN = 10
_REQUIRED_LIMIT = 96


@dataclass(frozen=True)
class Candidate:
    """A version that is built and may be published."""

    variant: str
    rows: int
    columns: Sequence[Column]
    """All columns, the key's first."""
    statistics: Sequence[ColumnStatistics]
    """What is known of its columns; exact in missing, infinite, minimum and maximum, or left out."""
    read: Callable[[Sequence[str]], Iterable[pa.RecordBatch]]
    """Reads these columns of all rows, from the beginning whenever it is called; called only if a rule needs them."""


@dataclass(frozen=True)
class Judgement:
    """What one rule said."""

    variant: str
    rule: str
    severity: Severity
    observed: str
    required: str
    passed: bool


@dataclass(frozen=True)
class Verdict:
    """What all rules said."""

    judgements: tuple[Judgement, ...]
    blocked: frozenset[str]
    """Variants that must not be published: a rule of severity Error is broken by them or by one they start from."""
    at: datetime

    def status(self, sequence: int) -> ValidationStatus:
        """The short form, errors first."""
        broken = [judgement for judgement in self.judgements if not judgement.passed]
        errors = [judgement for judgement in broken if judgement.severity is Severity.ERROR]
        warnings = [judgement for judgement in broken if judgement.severity is Severity.WARNING]
        return ValidationStatus(
            sequence=sequence,
            passed=len(self.judgements) - len(broken),
            warnings=len(warnings),
            errors=len(errors),
            broken=[_short(judgement) for judgement in (*errors, *warnings)[:_BROKEN_SHOWN]],
        )


def judge(
    book: Rulebook, candidates: Sequence[Candidate], at: datetime, limits: Limits | None = None
) -> Verdict:
    """What the rules say of the versions; each variant that a rule is about is among the candidates.

    Raises DataError with the rule's path where its query fails on the values.
    """
    judgements: list[Judgement] = []
    for candidate in candidates:
        planned = book.of(candidate.variant)
        for rule, answer in zip(planned, _answers(planned, candidate, limits or Limits()), strict=True):
            judgements.append(_judgement(rule, answer, candidate.rows))
    wrong = {each.variant for each in judgements if not each.passed and each.severity is Severity.ERROR}
    blocked: set[str] = set()
    for variant, parent in book.parents.items():
        if variant in wrong or parent in blocked:
            blocked.add(variant)
    return Verdict(tuple(judgements), frozenset(blocked), at)


def _answers(planned: Sequence[PlannedRule], candidate: Candidate, limits: Limits) -> list[Fraction | None]:
    """The number of each rule; None where a query answers null or no finite number."""
    facts = Facts(candidate.rows, {each.name: each for each in candidate.statistics})
    known = {rule.path: rule.count.known(facts) for rule in planned}
    found = {path: Fraction(number) for path, number in known.items() if number is not None}
    answers: dict[str, Fraction | None] = dict(found)
    for rules in _passes([rule for rule in planned if rule.path not in found]):
        wanted = {name for rule in rules for name in rule.count.columns}
        columns = [column for column in candidate.columns if column.name in wanted]
        read = partial(candidate.read, [column.name for column in columns])
        with closing(Engine(Rows(arrow_schema(columns), read), limits)) as engine:
            answers.update(_counted(rules, engine))
    return [answers[rule.path] for rule in planned]


def _passes(rules: Sequence[PlannedRule]) -> Iterator[Sequence[PlannedRule]]:
    """Rules that are counted in one reading of the rows: all together that forget a row as soon as they have seen it."""
    together = [rule for rule in rules if rule.count.query is None and not rule.count.remembers]
    if together:
        yield together
    for rule in rules:
        if rule not in together:
            yield [rule]


def _counted(rules: Sequence[PlannedRule], engine: Engine) -> dict[str, Fraction | None]:
    """Numbers by the paths of the rules: that of a user's query, or all aggregates in one."""
    (first, *_) = rules
    if first.count.query is not None:
        return {first.path: _asked(first, first.count.query, engine)}
    aggregates = [
        named(rule.count.aggregate, rule.path) for rule in rules if rule.count.aggregate is not None
    ]
    row = engine.run(exp.select(*aggregates).from_(table_ref(SOURCE))).to_pylist()[0]
    # Of no rows at all, the engine counts null.
    return {path: Fraction(value or 0) for path, value in row.items()}


def _asked(rule: PlannedRule, query: exp.Select, engine: Engine) -> Fraction | None:
    try:
        answer = engine.run(query.limit(2))
    except EngineError as error:
        raise DataError(
            f"a value does not fit ({error})",
            field=f"{rule.path}.query",
            value=rule.rule.query,
            remedy="use try_cast, which gives null, or leave such rows out with WHERE",
        ) from error
    if answer.num_rows != 1:
        raise DataError(
            "answers no row" if answer.num_rows == 0 else "answers more than one row",
            field=f"{rule.path}.query",
            value=rule.rule.query,
            remedy="write a query that answers one number whatever the rows are, such as an aggregate",
        )
    value = answer.column(0)[0].as_py()
    try:
        return None if value is None else Fraction(value)
    except (ValueError, OverflowError):
        return None


def _judgement(planned: PlannedRule, answer: Fraction | None, rows: int) -> Judgement:
    rule = planned.rule
    observed = answer
    text = "no number" if answer is None else _shown(answer)
    if rule.unit is Unit.PERCENT and answer is not None:
        observed = answer * 100 / rows if rows else Fraction(0)
        text = f"{_shown(observed)} % ({_shown(answer)} of {rows} rows)"
    required = " and ".join(map(str, rule.comparisons)) + (" %" if rule.unit is Unit.PERCENT else "")
    if len(required) > _REQUIRED_LIMIT:
        required = required[: _REQUIRED_LIMIT - 1] + "…"
    passed = observed is not None and hold(rule.comparisons, observed)
    return Judgement(planned.variant, planned.label, rule.severity, text, required, passed)


def _shown(number: Fraction) -> str:
    """A number as people read it; whole ones in full."""
    if number.denominator == 1:
        return str(number.numerator)
    return f"{Decimal(number.numerator) / Decimal(number.denominator):.6g}"


def _short(judgement: Judgement) -> RuleStatus:
    return RuleStatus(
        rule=judgement.rule,
        variant=judgement.variant,
        severity=judgement.severity,
        observed=judgement.observed[:64],
        required=judgement.required,
    )
