"""A Dataset with nothing to do: what another look at it costs, beside DVC's look at the same recipe."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import yaml

from tests.bench.data.names import DVC, MODELYARD
from tests.bench.data.programs import run
from tests.bench.data.stage import Stage, interpreter
from tests.bench.figures import Figure
from tests.bench.operator import contenders, objects
from tests.bench.operator.audit import WRITES as VERBS
from tests.bench.operator.stage import Stage as OperatorStage
from tests.bench.operator.stage import staged
from tests.support.ports import free_port

CASE = "nothing to do"
WRITES = "writes"
PODS = "pods"
TIME = "time of a look"
_LOOKS = 100
_SCRIPT = Path(__file__).parent / "chain" / "script.py"
_DONE = "modelyard_operator_event_to_action_seconds"


def dvc(stage: Stage, parquet: Path, rounds: int) -> Iterator[Figure]:
    """`dvc repro` once more after everything is made; each time a program's start, as in daily use."""
    place = stage.directory / "dvc"
    place.mkdir()
    shutil.copy(parquet, place / "rows.parquet")
    shutil.copy(_SCRIPT, place)
    stages = {
        "variants": {
            "cmd": f"{interpreter('dvc')} {_SCRIPT.name} rows.parquet . 5.0",
            "deps": ["rows.parquet", _SCRIPT.name],
            "outs": ["v2.parquet", "v3.parquet"],
        }
    }
    (place / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    program = [interpreter("dvc"), "-m", "dvc"]
    environment = {**stage.environment, "DVC_NO_ANALYTICS": "1"}
    for argv in (["init", "--no-scm", "--quiet"], ["repro", "--quiet"]):
        run([*program, *argv], stage.log, env=environment, cwd=place)
    for _ in range(rounds):
        ran = run([*program, "repro"], stage.log, env=environment, cwd=place)
        if "didn't change" not in ran.answer:
            raise RuntimeError(f"dvc repro had something to do: {ran.answer}")
        yield Figure(CASE, DVC, TIME, "ms", ran.wall_seconds * 1000)


async def operator(logs: Path) -> list[Figure]:
    """An annotation of the Dataset is changed again and again; each time the operator looks at all of it."""
    port = free_port()
    async with staged(contenders.modelyard(interpreter("operator"), port), logs) as stage:
        await stage.quiet()
        start, before = len(stage.audit.requests), _looked(port)
        path = f"{objects.DATASETS}/{objects.dataset()['metadata']['name']}"
        for number in range(_LOOKS):
            await stage.client.patch(path, {"metadata": {"annotations": {"example.com/look": str(number)}}})
            await stage.until(lambda seen=number: _looked(port)[0] > before[0] + seen, f"look {number + 1}")  # type: ignore[misc]
        await stage.quiet()
        return [*_figures(stage, start), _time(before, _looked(port))]


def _figures(stage: OperatorStage, start: int) -> Iterator[Figure]:
    asked = [request for request in stage.requests_since(start) if request.verb in VERBS]
    jobs = [request for request in asked if request.resource == "jobs" and request.verb == "create"]
    yield Figure(CASE, MODELYARD, WRITES, "", len(asked))
    yield Figure(CASE, MODELYARD, PODS, "", len(jobs))


def _time(before: tuple[float, float], after: tuple[float, float]) -> Figure:
    looks, seconds = (late - early for early, late in zip(before, after, strict=True))
    return Figure(CASE, MODELYARD, TIME, "ms", seconds / looks * 1000)


def _looked(port: int) -> tuple[float, float]:
    """Looks at Datasets so far, and the seconds from event to end that they took together."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    found = [
        re.search(rf'^{_DONE}_{part}{{kind="Dataset"}} (\S+)$', text, re.MULTILINE)
        for part in ("count", "sum")
    ]
    count, total = (float(match[1]) if match else 0.0 for match in found)
    return count, total
