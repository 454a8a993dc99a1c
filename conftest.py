"""Fixtures that every layer of tests may ask for."""

pytest_plugins = ["tests.support.controlplane"]
