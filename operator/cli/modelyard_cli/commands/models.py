"""``modelyard models``: the registry, and versions put in charge."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from modelyard_cli.completing import names_of
from modelyard_cli.durations import DURATION
from modelyard_cli.errors import CommandError, Exit
from modelyard_cli.options import Format, Target, examples, formatted, targeted
from modelyard_cli.output import Result, Table, drawn, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard_cli.cluster.client import Cluster
    from modelyard_cli.objects import Document
    from modelyard_cli.runs import ModelVersion


_FOLDER = "model"
"""Where a run keeps the files of its model."""


@click.group(epilog=examples("modelyard models list", "modelyard models promote housing 3"))
def models() -> None:
    """List models, download versions and put them in charge."""


@models.command(
    name="list", epilog=examples("modelyard models list", "modelyard models list housing -o json")
)
@targeted
@formatted
@click.argument("model", required=False)
def list_(target: Target, *, model: str | None, output: Format) -> int:
    """List the versions of a model, or of all, the newest first."""
    from modelyard_cli.tracking.finding import opened

    with opened(target) as (_, tracking):
        versions = tracking.versions(model)
    if model is not None and not versions:
        raise CommandError(f"there is no model {model}")
    document = [version.document() for version in versions]
    names = [f"{version.model}/{version.number}" for version in versions]
    show(Result(document, lambda: drawn(_table(versions)), names), output)
    return Exit.OK


@models.command(
    epilog=examples(
        "modelyard models promote housing 3",
        "modelyard models promote housing 3 --stage staging --timeout 5m",
    )
)
@targeted
@formatted
@click.option(
    "--stage", default="production", show_default=True, help="Stage that the version is to be in charge of."
)
@click.option("--timeout", type=DURATION, default="10m", show_default=True, help="How long to wait at most.")
@click.argument("model", shell_complete=names_of("modelpromotion"))
@click.argument("version", type=click.IntRange(min=1))
def promote(target: Target, *, model: str, version: int, stage: str, timeout: float, output: Format) -> int:
    """Put a version of a model in charge of a stage, and wait until its servers answer with it.

    The ModelPromotion that owns the stage gets the version as its candidate; where there is none, one without gates is
    made. Gates are kept: a version that does not pass one is refused.
    """
    from modelyard_cli.cluster.client import open_cluster
    from modelyard_cli.cluster.kinds import PROMOTION
    from modelyard_cli.following import wait_for
    from modelyard_cli.objects import promotion_seen
    from modelyard_cli.views.look import State
    from modelyard_cli.views.promoting import look_for

    with open_cluster(target) as cluster:
        name = _point(cluster, model, stage, str(version))
        document, look = wait_for(
            cluster, PROMOTION, name, lambda found: look_for(promotion_seen(found), str(version)), timeout
        )
    if look.state is State.FAILED:
        raise CommandError(f"version {version} of {model} is not in charge of {stage}: {look.line()}")
    show(
        Result(
            document,
            lambda: f"version {version} of {model} is in charge of {stage}",
            [f"modelpromotion/{name}"],
        ),
        output,
    )
    return Exit.OK


@models.command(
    epilog=examples(
        "modelyard models download housing 3 model/",
        "pip install -r model/requirements.txt        # what the model was trained with",
    )
)
@targeted
@formatted
@click.argument("model", shell_complete=names_of("modelpromotion"))
@click.argument("version", type=click.IntRange(min=1))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def download(target: Target, *, model: str, version: int, folder: Path, output: Format) -> int:
    """Save the files of a version: the model for skops, its libraries, its inputs and an example of them."""
    from modelyard_cli.tracking.finding import opened

    with opened(target) as (_, tracking):
        wanted = [found for found in tracking.versions(model) if found.number == version]
        run = tracking.run(wanted[0].run_id) if wanted else None
        if run is None:
            raise CommandError(f"there is no version {version} of {model}")
        saved = []
        for path in tracking.files(run, _FOLDER):
            content = tracking.file(run, path)
            if content is None:
                raise CommandError(f"{path} of version {version} of {model} cannot be read")
            place = folder / _inside(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            saved.append(str(place))
    if not saved:
        raise CommandError(f"the run of version {version} of {model} has no files of a model any more")
    show(Result(saved, lambda: "\n".join(f"saved {name}" for name in saved), saved), output)
    return Exit.OK


def _inside(path: str) -> PurePosixPath:
    """A file's path below the model's folder. Raises CommandError for one that leads out of it."""
    below = PurePosixPath(path).relative_to(_FOLDER)
    if ".." in below.parts:
        raise CommandError(f"the run names a file {path}, which is not saved")
    return below


def _point(cluster: Cluster, model: str, stage: str, version: str) -> str:
    """Makes the version the candidate of the stage's owner, and returns the owner's name."""
    from modelyard_cli.applying import insist
    from modelyard_cli.cluster.kinds import PROMOTION
    from modelyard_cli.views.promoting import new_promotion, owner_of, pointed_to

    owner = owner_of(cluster.items(PROMOTION), model, stage)
    if owner is not None:
        name = str(owner["metadata"]["name"])
        cluster.merge(PROMOTION, name, {"spec": {"candidate": pointed_to(version)}})
        return name
    made: Document = new_promotion(model, stage, version)
    insist(made)
    cluster.apply(PROMOTION, made)
    return str(made["metadata"]["name"])


def _table(versions: Sequence[ModelVersion]) -> Table:
    rows = [
        [
            *(version.model, str(version.number), version.alias or "-", version.job or "-", version.run_id),
            *(version.dataset_digest[:19] or "-", f"{version.made:%Y-%m-%d %H:%M}"),
        ]
        for version in versions
    ]
    return Table(["model", "version", "stage", "job", "run", "data", "made"], rows, frozenset({"version"}))
