"""One view from rows to pods: everything hangs on what it was made from."""

from typing import Any

from modelyard_cli.objects import dataset_seen, promotion_seen, training_job_seen
from modelyard_cli.views.tree import Namespace, Node, grow, only
from tests.support.resources import dataset, promotion, training_job
from tests.unit.cli.seeing import DIGEST, EARLIER, RUN, condition, seen, version

V1 = {"name": "v1", "sequence": 2, "rows": 20640, "columns": 9, "digest": DIGEST, "uri": "s3://a/b"}
HOUSES = seen(
    dataset("houses", "demo"),
    conditions=[condition("Ready", "True", "Published")],
    load={"sequence": 2, "rows": 20640, "percent": "100", "rejected": 3},
    variants=[V1],
)
FOREST = seen(
    training_job("forest", "demo"),
    conditions=[condition("Succeeded", "True", "Completed")],
    datasetVersion=version(2),
    run={"id": RUN},
    model={"name": "housing", "version": "7", "digest": DIGEST},
    summary="rmse=0.4163",
)
OLD = seen(
    training_job("old", "demo"),
    conditions=[condition("Succeeded", "False", "Data", "words")],
    datasetVersion=version(1, EARLIER),
)
WAITING = seen(training_job("waiting", "demo"), conditions=[])
CHAMPION: dict[str, Any] = {
    "version": "7",
    "runId": RUN,
    "modelDigest": DIGEST,
    "bundleUri": "s3://a/c",
    "since": "2026-01-01T00:00:00Z",
}
SERVING = seen(
    promotion("housing", "demo"),
    conditions=[condition("Ready", "True", "Serving")],
    champion=CHAMPION,
    url="http://housing.demo.svc",
)
POD = {
    "metadata": {"name": "housing-1", "labels": {"modelyard.dev/promotion": "housing"}},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}


def whole() -> Namespace:
    return Namespace(
        [dataset_seen(HOUSES)],
        [training_job_seen(job) for job in (FOREST, OLD, WAITING)],
        [promotion_seen(SERVING)],
        [POD],
    )


def outline(nodes: Any) -> list[Any]:  # noqa: ANN401  nested lists
    return [(node.name, node.state, outline(node.children)) for node in nodes]


def test_rows_lead_to_versions_jobs_promotions_and_pods() -> None:
    assert outline(grow(whole())) == [
        (
            "houses",
            "ok",
            [
                ("v1 of load 1", "", [("old", "failed", [])]),
                (
                    "v1 of load 2",
                    "",
                    [("forest", "ok", [("housing", "ok", [("housing-1", "ok", [])])])],
                ),
                ("waiting", "waiting", []),
            ],
        )
    ]


def test_each_line_says_what_is_to_be_known() -> None:
    (tree,) = grow(whole())
    earlier, latest, _ = tree.children
    assert tree.text == "20,640 rows (100 % of the source) by load 2, 3 set aside"
    assert earlier.text == "an earlier version, sha256:cdcdcdcdcdcd"
    assert latest.text == "20,640 rows x 9 columns, sha256:abababababab"
    assert latest.children[0].text == "rmse=0.4163, housing version 7"
    assert latest.children[0].children[0].text == (
        "housing production: version 7 in charge at http://housing.demo.svc"
    )


def test_what_hangs_on_nothing_is_still_shown() -> None:
    alone = Namespace(jobs=[training_job_seen(OLD)], promotions=[promotion_seen(SERVING)], pods=[POD])
    assert [node.name for node in grow(alone)] == ["old", "housing"]


def test_one_dataset_can_be_shown_alone() -> None:
    other = seen(dataset("other", "demo"), conditions=[])
    elsewhere = seen(promotion("elsewhere", "demo"), conditions=[])
    both = Namespace(
        [dataset_seen(HOUSES), dataset_seen(other)],
        whole().jobs,
        [promotion_seen(SERVING), promotion_seen(elsewhere)],
        [POD],
    )
    assert [node.name for node in grow(only(both, "houses"))] == ["houses"]
    assert [node.name for node in grow(both)] == ["houses", "other", "elsewhere"]


def test_a_tree_is_a_document_too() -> None:
    node = Node("Pod", "a", "ready", "ok")
    assert Node("Dataset", "b", "", children=(node,)).document() == {
        "kind": "Dataset",
        "name": "b",
        "text": "",
        "children": [{"kind": "Pod", "name": "a", "text": "ready", "state": "ok"}],
    }
