"""Requests without a pause while everything that may happen to a served model happens to it."""
