"""The copy of a TrainingJob that asks what the job would find, and nothing else."""

from modelyard_api.labels import DRY_RUN, NAME_LIMIT
from modelyard_cli.views.caching import question
from tests.support.manifests import training_job


def test_a_question_is_the_job_under_another_name_that_only_asks() -> None:
    job = training_job("forest", "demo")
    asked = question(job, "4f1d")
    assert asked["metadata"]["name"] == "forest-explain-4f1d"
    assert asked["metadata"]["annotations"] == {DRY_RUN: "true"}
    assert asked["spec"] == job["spec"]
    assert DRY_RUN not in job["metadata"].get("annotations", {}), "the job itself stays as it is"


def test_a_long_name_is_cut_so_that_the_question_s_fits() -> None:
    name = question(training_job("f" * NAME_LIMIT, "demo"), "4f1d")["metadata"]["name"]
    assert len(name) == NAME_LIMIT
    assert name.endswith("-explain-4f1d")
