"""Benchmarks: one folder a part, each measuring Modelyard beside named peers in one run."""
