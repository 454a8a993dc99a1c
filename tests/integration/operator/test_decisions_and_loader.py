"""The operator's decisions and the loader itself, one after the other: what one asks the other understands."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from modelyard_api import labels
from modelyard_api.contract.steps import CREDENTIALS_VARIABLE, STEP_VARIABLE, Step
from modelyard_api.v1alpha1.dataset_status import LoadStatus, ParentVersion
from modelyard_loader.dispatch import carry_out
from modelyard_operator.objects.steps import Due, StepKind
from modelyard_operator.settings import PostgresSettings, S3Settings, Settings
from tests.support.loading import LoaderRun
from tests.support.postgres import DATABASE, PostgresServer
from tests.support.s3 import S3Server
from tests.unit.operator.making import dataset
from tests.unit.operator.stepping import Story

_NUMBERS = count(1)
FEW = {"name": "few", "from": "v1", "transforms": [{"filter": {"where": "petal_width > 1"}}]}


@dataclass
class Yard:
    """A project in both stores, and the loader in this process."""

    run: LoaderRun

    def story(self, name: str = "flowers", **spec: Any) -> Story:  # noqa: ANN401  JSON
        """A new Dataset of the project."""
        given = {"source": {"builtin": {"name": "iris"}}, "variants": [{"name": "v1"}], **spec}
        schema, server, store = self.run.project.schema, self.run.postgres, self.run.s3.endpoint("any")
        settings = Settings(
            projects=[schema],
            postgres=PostgresSettings(host="127.0.0.1", port=server.port, database=DATABASE),
            s3=S3Settings(endpoint_url=store.endpoint_url, region=store.region, bucket=store.bucket),
        )
        seen = dataset(name, **given)
        uid = f"11111111-0000-4000-8000-{next(_NUMBERS):012d}"
        meta = seen.metadata.model_copy(update={"namespace": schema, "uid": uid})
        return Story(seen.model_copy(update={"metadata": meta}), settings=settings)

    def carry_out(self, story: Story) -> Due:
        """The step that is due, by the loader, and what the operator makes of its answer."""
        due = story.begin()
        text = story.jobs[-1].variable(STEP_VARIABLE)
        assert text is not None
        environment = {CREDENTIALS_VARIABLE: str(self.run.mounted()), "MODELYARD_PROGRESS_PORT": "0"}
        story.end(carry_out(Step.model_validate_json(text), environment))
        return due


@pytest.fixture
def yard(postgres_server: PostgresServer, minio_server: S3Server, tmp_path: Path) -> Yard:
    project = postgres_server.make_project(f"steps{next(_NUMBERS)}")
    return Yard(LoaderRun(tmp_path, postgres_server, minio_server, project))


def load_of(story: Story) -> LoadStatus:
    load = story.dataset.status.load
    assert load is not None
    return load


def test_a_plan_an_edit_and_a_second_build_go_through_the_loader_and_end_at_rest(yard: Yard) -> None:
    plan = {"initialPercent": "40", "incrementPercent": "30", "intervalSeconds": 60}
    seen = yard.story(load=plan)
    rows = []
    for _ in range(3):
        yard.carry_out(seen)
        rows.append((load_of(seen).sequence, load_of(seen).percent, load_of(seen).rows))
        seen.wait(60)
    assert rows == [(1, "40", 60), (2, "70", 105), (3, "100", 150)]
    assert seen.settle().start is None
    assert seen.said()["Progressing"] == ("False", "Complete")
    assert load_of(seen).source_rows == 150
    assert [column.name for column in seen.dataset.status.columns][:2] == ["row", "sepal_length"]
    head = load_of(seen).audit_head

    meta = seen.dataset.metadata
    edited = yard.story(load=plan, variants=[{"name": "v1"}, FEW])
    seen.dataset = edited.dataset.model_copy(
        update={"metadata": meta.model_copy(update={"generation": 2}), "status": seen.dataset.status}
    )
    yard.carry_out(seen)
    assert seen.said()["Ready"] == ("True", "Published")
    assert [(item.name, item.sequence) for item in seen.dataset.status.variants] == [("v1", 3), ("few", 3)]
    assert load_of(seen).audit_head == head, "an edit of variants loads nothing"

    seen.annotate(labels.VERIFY_NOW, "1")
    assert yard.carry_out(seen).kind is StepKind.VERIFY
    assert seen.said()["Deterministic"] == ("True", "SameValues"), seen.condition("Deterministic").message
    seen.annotate(labels.REBUILD_NOW, "1")
    assert yard.carry_out(seen).kind is StepKind.REBUILD
    assert seen.said()["Loaded"] == ("True", "Rebuilt")
    assert load_of(seen).audit_head == head
    assert seen.settle().start is None


def test_a_status_that_was_lost_is_found_again_step_by_step(yard: Yard) -> None:
    plan = {"initialPercent": "40", "incrementPercent": "60", "intervalSeconds": 60}
    seen = yard.story(load=plan)
    yard.carry_out(seen)
    seen.wait(60)
    yard.carry_out(seen)
    known = seen.dataset.status
    fresh = dataset("flowers").status
    seen.dataset = seen.dataset.model_copy(update={"status": fresh})
    yard.carry_out(seen)
    assert load_of(seen).sequence == 1
    seen.wait(60)
    yard.carry_out(seen)
    assert seen.dataset.status.variants == known.variants
    assert load_of(seen).audit_head == (known.load.audit_head if known.load else None)


def test_a_dataset_made_from_another_follows_its_versions_and_an_empty_look_is_no_load(yard: Yard) -> None:
    source = yard.story(load={"initialPercent": "40", "incrementPercent": "60"})
    yard.carry_out(source)

    def version() -> ParentVersion:
        (item,) = source.dataset.status.variants
        return ParentVersion(variant=item.name, digest=item.digest, uri=item.uri)

    copy = yard.story("copy", source={"dataset": {"name": "flowers", "variant": "v1"}})
    copy.parent = version()
    yard.carry_out(copy)
    assert (load_of(copy).sequence, load_of(copy).rows) == (1, 60)
    assert copy.settle().start is None
    source.annotate(labels.LOAD_NOW, "1")
    yard.carry_out(source)
    copy.parent = version()
    yard.carry_out(copy)
    assert (load_of(copy).sequence, load_of(copy).rows) == (2, 150)
    assert load_of(copy).parent == version()
    assert copy.settle().start is None


def test_a_rule_that_breaks_keeps_the_last_good_version_and_the_plan_goes_on(yard: Yard) -> None:
    rules = [{"rule": "rowCount", "mustBeLessThan": "100"}]
    plan = {"initialPercent": "40", "incrementPercent": "60", "intervalSeconds": 60}
    seen = yard.story(load=plan, validation=rules)
    yard.carry_out(seen)
    assert seen.said()["Valid"] == ("True", "RulesHeld")
    (good,) = seen.dataset.status.variants
    seen.wait(60)
    yard.carry_out(seen)
    assert seen.said()["Valid"] == ("False", "RulesBroken")
    assert seen.said()["Ready"] == ("True", "Published")
    assert seen.dataset.status.variants == [good]
    assert (load_of(seen).sequence, load_of(seen).rows) == (2, 150)
    assert seen.settle().start is None
