"""The sample data set from source to rows, manifests and outcome."""

from tests.support.loading import LoaderRun


def test_a_load_publishes_every_variant(loader: LoaderRun) -> None:
    finished = loader.run()
    assert finished.exit_status == 0, finished.log
    assert finished.outcome is not None
    assert finished.outcome.load is not None
    shapes = [(each.name, each.rows, each.columns) for each in finished.outcome.load.variants]
    assert shapes == [("v1", 20640, 9), ("v2", 9261, 9), ("v3", 9261, 13)]
