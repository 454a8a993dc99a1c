"""Carries out the step of a Dataset: source to working copy (Postgres) and record (S3)."""
