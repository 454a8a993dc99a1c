"""Steps of 30,000 new rows onto few and onto many, and the memory that loading many takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from tests.bench.data.loader import BenchDataset
from tests.bench.data.names import MODELYARD, rows_in_words
from tests.bench.data.programs import Ran
from tests.bench.figures import Figure
from tests.support.loading import california_variants

STEP_ROWS = 30_000
WALL = "wall of the loader"
MEMORY = "peak memory of the loader"
_PLACES = Decimal("0.000001")


@dataclass(frozen=True)
class Growing:
    """A Dataset whose first step loads ``loaded`` rows and each further one 30,000."""

    dataset: BenchDataset
    loaded: int

    def first(self) -> list[Figure]:
        """The first step."""
        ran, outcome = self.dataset.step(1, self.percent(0))
        _check(outcome.rows, self.loaded)
        case = first_case(self.loaded)
        return [
            Figure(case, MODELYARD, WALL, "s", ran.wall_seconds),
            Figure(case, MODELYARD, "rows a second", "", self.loaded / ran.wall_seconds),
            Figure(case, MODELYARD, "CPU of the loader", "s", ran.processor_seconds),
            Figure(case, MODELYARD, MEMORY, "MiB", ran.peak_mebibytes),
        ]

    def further(self, number: int) -> tuple[list[Figure], Ran]:
        """Step ``number`` + 1; numbers begin at 1."""
        ran, outcome = self.dataset.step(number + 1, self.percent(number))
        _check(outcome.rows, self.loaded + number * STEP_ROWS)
        case = step_case(self.loaded)
        figures = [
            Figure(case, MODELYARD, WALL, "s", ran.wall_seconds),
            Figure(case, MODELYARD, "time, interpreter and imports left out", "s", ran.seconds),
            Figure(case, MODELYARD, "CPU of the loader", "s", ran.processor_seconds),
            Figure(case, MODELYARD, MEMORY, "MiB", ran.peak_mebibytes),
        ]
        return figures, ran

    def percent(self, steps: int) -> str:
        """Share of the source that is loaded after so many further steps."""
        share = Decimal(100 * (self.loaded + steps * STEP_ROWS)) / Decimal(self.dataset.rows)
        return f"{share.quantize(_PLACES, ROUND_HALF_UP):f}"


def source_rows(loaded: int, steps: int) -> int:
    """Rows that the source must have for so many steps; one more, so that the target is not reached."""
    return loaded + (steps + 1) * STEP_ROWS


def first_case(loaded: int) -> str:
    """Name of the case of a first step."""
    return f"{rows_in_words(loaded)}, first step of many from Parquet on S3"


def step_case(loaded: int) -> str:
    """Name of the case of a further step."""
    return f"{rows_in_words(STEP_ROWS)} more onto {rows_in_words(loaded)}"


def relative_figure(few: int) -> str:
    """Name of the figure that compares the same step onto many with that onto few rows."""
    return f"time relative to that onto {rows_in_words(few)}"


def steps(few: Growing, many: Growing, count: int) -> Iterator[Figure]:
    """Further steps on both in turn, and how their times compare."""
    for number in range(1, count + 1):
        order: Sequence[Growing] = (few, many) if number % 2 else (many, few)
        seconds: dict[int, float] = {}
        for growing in order:
            figures, ran = growing.further(number)
            seconds[growing.loaded] = ran.seconds
            yield from figures
        ratio = seconds[many.loaded] / seconds[few.loaded]
        yield Figure(step_case(many.loaded), MODELYARD, relative_figure(few.loaded), "", ratio)


def edited(many: Growing, steps_done: int) -> list[Figure]:
    """The variants of all rows built anew after an edit of the spec: what it takes."""
    dataset = many.dataset.with_variants(california_variants("4.5"))
    ran, _ = dataset.step(steps_done + 1, many.percent(steps_done))
    case = edit_case(many.loaded)
    return [
        Figure(case, MODELYARD, WALL, "s", ran.wall_seconds),
        Figure(case, MODELYARD, "CPU of the loader", "s", ran.processor_seconds),
        Figure(case, MODELYARD, MEMORY, "MiB", ran.peak_mebibytes),
    ]


def edit_case(loaded: int) -> str:
    """Name of the case of a build of all rows."""
    return f"variants of {rows_in_words(loaded)} built anew"


def _check(found: int, wanted: int) -> None:
    # A percent has six places: at ten million rows the last one is a tenth of a row.
    if abs(found - wanted) > 1:
        raise RuntimeError(f"{found} rows are loaded, not {wanted}")
