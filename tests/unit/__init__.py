"""Tests of nothing outside the process."""
