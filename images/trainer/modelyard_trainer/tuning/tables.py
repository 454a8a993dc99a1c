"""The tables of all studies of a project, made by the first worker that needs them."""

from __future__ import annotations

from typing import LiteralString

STATEMENTS: tuple[LiteralString, ...] = (
    # Two workers that begin at the same moment must not both find that there is no table.
    "SELECT pg_advisory_xact_lock(hashtextextended('modelyard tuning ' || current_schema(), 0))",
    """
    CREATE TABLE IF NOT EXISTS tuning_studies (
      job_uid text PRIMARY KEY,
      job text NOT NULL,
      context text NOT NULL,
      metric text NOT NULL,
      direction text NOT NULL,
      budget integer NOT NULL,
      started_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS tuning_trials (
      job_uid text NOT NULL REFERENCES tuning_studies ON DELETE CASCADE,
      number integer NOT NULL,
      state text NOT NULL,
      context text NOT NULL,
      parameters jsonb,
      value double precision,
      folds double precision[] NOT NULL DEFAULT '{}',
      same_as integer,
      message text,
      worker integer,
      fence integer NOT NULL DEFAULT 1,
      losses integer NOT NULL DEFAULT 0,
      heartbeat_at timestamptz,
      seconds double precision NOT NULL DEFAULT 0,
      cpu_seconds double precision NOT NULL DEFAULT 0,
      started_at timestamptz,
      ended_at timestamptz,
      PRIMARY KEY (job_uid, number)
    )
    """,
)
"""A trial's ``fence`` grows with every worker that takes it: only the last one may write. ``losses`` counts those that
died over it."""
