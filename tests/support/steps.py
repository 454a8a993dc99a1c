"""Steps as the operator asks for them, for tests that reach no server."""

from collections.abc import Sequence

from modelyard_api.contract.steps import LoadStep, Owner, PostgresEndpoint, S3Endpoint, Step
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.sources import BuiltinName, BuiltinSource, Source
from modelyard_api.v1alpha1.transforms import Variant


def load_step(variants: Sequence[object]) -> Step:
    """A load of iris; nothing listens where it points to."""
    return Step(
        load=LoadStep(
            owner=Owner(project="demo", name="iris", uid="u", generation=1),
            source=Source(builtin=BuiltinSource(name=BuiltinName.IRIS)),
            primary_key=["row"],
            variants=[Variant.model_validate(each) for each in variants],
            split=Split(),
            postgres=PostgresEndpoint(host="127.0.0.1", port=1, schema_="demo"),
            s3=S3Endpoint(endpoint_url="http://127.0.0.1:1", bucket="modelyard", prefix="demo"),
        )
    )
