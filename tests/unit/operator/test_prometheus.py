"""What Prometheus answers, and what is no answer."""

import pytest

from modelyard_operator.objects.gates import QueryAnswer
from modelyard_operator.serving.prometheus import read_answer


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ('{"resultType":"scalar","result":[1700000000.1,"0.25"]}', (0.25,)),
        ('{"resultType":"vector","result":[]}', ()),
        (
            '{"resultType":"vector","result":[{"metric":{},"value":[1.5,"3"]},{"value":[1.5,"+Inf"]}]}',
            (3.0, float("inf")),
        ),
    ],
)
def test_each_series_has_one_value(content: str, values: tuple[float, ...]) -> None:
    found = read_answer(f'{{"status":"success","data":{content}}}'.encode(), 200)
    assert found == QueryAnswer(values)


@pytest.mark.parametrize(
    ("content", "status", "fault"),
    [
        (
            '{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}',
            400,
            "Prometheus refuses the query: parse error: unexpected end",
        ),
        (
            '{"status":"success","data":{"resultType":"matrix","result":[]}}',
            200,
            "the query gives a matrix; a gate needs one value a series",
        ),
        ("<html>", 502, "Prometheus answers HTTP 502 and nothing that can be read"),
        ("{}", 200, "Prometheus answers HTTP 200 and nothing that can be read"),
    ],
)
def test_what_is_no_value_is_a_fault(content: str, status: int, fault: str) -> None:
    assert read_answer(content.encode(), status) == QueryAnswer(fault=fault)
