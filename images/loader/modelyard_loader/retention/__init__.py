"""Retention: versions that nothing refers to any more go, so that the record grows with what is used."""
