"""Tuning: many trials in few pods, all of them recorded in the project's Postgres."""
