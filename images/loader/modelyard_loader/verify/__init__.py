"""The determinism check: versions are built a second time with other settings, and must come out the same."""
