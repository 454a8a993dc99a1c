"""Fixtures that every layer of tests may ask for."""

pytest_plugins = [
    "tests.support.controlplane",
    "tests.support.mlflow",
    "tests.support.postgres",
    "tests.support.s3",
]
