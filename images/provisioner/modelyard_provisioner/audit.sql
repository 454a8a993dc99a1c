-- The audit of a project: what was loaded, changed, set aside, judged and removed, and which models were in charge. Run with search_path on the
-- project's schema, as often as the release changes. The administrator owns all of it; the project's role may read
-- and append.

CREATE TABLE IF NOT EXISTS data_loads (
  dataset text NOT NULL,
  dataset_uid text NOT NULL,
  sequence integer NOT NULL,
  batch_name text NOT NULL,
  percentage numeric NOT NULL,
  total_rows bigint NOT NULL,
  offered bigint NOT NULL,
  accepted bigint NOT NULL,
  rejected bigint NOT NULL,
  source_digest text NOT NULL,
  generation bigint NOT NULL,
  image text NOT NULL,
  started_at timestamptz NOT NULL,
  completed_at timestamptz NOT NULL,
  metadata jsonb NOT NULL,
  previous_hash text NOT NULL,
  hash text NOT NULL,
  requested_by text,
  trigger text,
  PRIMARY KEY (dataset_uid, sequence)
);

CREATE TABLE IF NOT EXISTS data_changes (
  dataset text NOT NULL,
  dataset_uid text NOT NULL,
  sequence integer NOT NULL,
  operation text NOT NULL CHECK (operation IN ('UPDATE', 'DELETE')),
  changed_at timestamptz NOT NULL,
  key jsonb NOT NULL,
  old_row jsonb NOT NULL,
  old_sequence bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS data_changes_load ON data_changes (dataset_uid, sequence);

CREATE TABLE IF NOT EXISTS data_rejects (
  dataset text NOT NULL,
  dataset_uid text NOT NULL,
  sequence integer NOT NULL,
  reason text NOT NULL,
  row_number bigint,
  content text CHECK (octet_length(content) <= 4096)
);
CREATE INDEX IF NOT EXISTS data_rejects_load ON data_rejects (dataset_uid, sequence);

CREATE TABLE IF NOT EXISTS data_rules (
  dataset text NOT NULL,
  dataset_uid text NOT NULL,
  sequence integer NOT NULL,
  variant text NOT NULL,
  rule text NOT NULL,
  severity text NOT NULL,
  observed text NOT NULL,
  required text NOT NULL,
  passed boolean NOT NULL,
  judged_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS data_rules_load ON data_rules (dataset_uid, sequence);

CREATE TABLE IF NOT EXISTS data_sweeps (
  dataset text NOT NULL,
  dataset_uid text NOT NULL,
  at timestamptz NOT NULL,
  dry_run boolean NOT NULL,
  variant text,
  sequence integer,
  digest text,
  uri text NOT NULL,
  bytes bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS data_sweeps_time ON data_sweeps (dataset_uid, at);

-- Entries are complete when they are made: when a champion's time ends is when that of the next begins.
CREATE TABLE IF NOT EXISTS model_champions (
  promotion text NOT NULL,
  promotion_uid text NOT NULL,
  number integer NOT NULL,
  model_name text NOT NULL,
  stage text NOT NULL,
  version text NOT NULL,
  run_id text NOT NULL,
  model_digest text NOT NULL,
  dataset_digest text,
  since timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (promotion_uid, number)
);
CREATE INDEX IF NOT EXISTS model_champions_time ON model_champions (promotion, since);

-- Canonical JSON as the loader writes it: keys by code point, no spaces, whole numbers only.
CREATE OR REPLACE FUNCTION canonical_json(document jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
  CASE jsonb_typeof(document)
    WHEN 'object' THEN
      RETURN '{' || coalesce((
        SELECT string_agg(to_json(member.key)::text || ':' || canonical_json(member.value), ','
                          ORDER BY member.key COLLATE "C")
        FROM jsonb_each(document) AS member), '') || '}';
    WHEN 'array' THEN
      RETURN '[' || coalesce((
        SELECT string_agg(canonical_json(item.value), ',' ORDER BY item.place)
        FROM jsonb_array_elements(document) WITH ORDINALITY AS item(value, place)), '') || ']';
    ELSE
      RETURN document::text;
  END CASE;
END
$$;

-- The hash that an entry of data_loads must have. Entries from before requested_by and trigger are hashed without.
CREATE OR REPLACE FUNCTION data_loads_hash(entry data_loads) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
  utc CONSTANT text := 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"';
  document jsonb := jsonb_build_object(
    'dataset', entry.dataset, 'dataset_uid', entry.dataset_uid, 'sequence', entry.sequence,
    'batch_name', entry.batch_name, 'percentage', entry.percentage::text, 'total_rows', entry.total_rows,
    'offered', entry.offered, 'accepted', entry.accepted, 'rejected', entry.rejected,
    'source_digest', entry.source_digest, 'generation', entry.generation, 'image', entry.image,
    'started_at', to_char(entry.started_at AT TIME ZONE 'UTC', utc),
    'completed_at', to_char(entry.completed_at AT TIME ZONE 'UTC', utc),
    'metadata', entry.metadata, 'previous_hash', entry.previous_hash);
BEGIN
  IF entry.requested_by IS NOT NULL THEN
    document := document || jsonb_build_object('requested_by', entry.requested_by);
  END IF;
  IF entry.trigger IS NOT NULL THEN
    document := document || jsonb_build_object('trigger', entry.trigger);
  END IF;
  RETURN 'sha256:' || encode(sha256(convert_to(canonical_json(document), 'UTF8')), 'hex');
END
$$;

-- What was loaded when by whom, and whether the chain holds there: each entry's own hash, and its link to the one before.
CREATE OR REPLACE VIEW loads AS
SELECT
  entry.dataset,
  entry.sequence,
  entry.batch_name,
  entry.percentage AS percent,
  entry.total_rows,
  entry.offered,
  entry.accepted,
  entry.rejected,
  entry.started_at,
  entry.completed_at,
  entry.completed_at - entry.started_at AS duration,
  entry.requested_by,
  entry.trigger,
  entry.generation,
  entry.image,
  entry.dataset_uid,
  entry.hash,
  entry.hash = data_loads_hash(entry) AS entry_holds,
  entry.previous_hash = coalesce(lag(entry.hash) OVER chain, 'sha256:' || repeat('0', 64))
    AND entry.sequence = coalesce(lag(entry.sequence) OVER chain, 0) + 1 AS link_holds
FROM data_loads AS entry
WINDOW chain AS (PARTITION BY entry.dataset_uid ORDER BY entry.sequence);

-- Who was in charge from when until when. A promotion that was removed and made again goes on under its name.
CREATE OR REPLACE VIEW champions AS
SELECT
  entry.promotion,
  entry.model_name,
  entry.stage,
  entry.version,
  entry.since,
  lead(entry.since) OVER terms AS until,
  entry.run_id,
  entry.model_digest,
  entry.dataset_digest,
  entry.number,
  entry.promotion_uid,
  entry.recorded_at
FROM model_champions AS entry
WINDOW terms AS (PARTITION BY entry.promotion ORDER BY entry.since, entry.recorded_at, entry.number);

-- The champion of a promotion at a time: one row, or none before the first.
CREATE OR REPLACE FUNCTION champion_at(promotion text, at timestamptz) RETURNS SETOF champions
LANGUAGE sql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
  SELECT * FROM champions AS term
  WHERE term.promotion = champion_at.promotion
    AND term.since <= champion_at.at
    AND (term.until IS NULL OR term.until > champion_at.at)
$$;

-- Whoever made one of these names first would own what stands behind it now.
ALTER FUNCTION canonical_json(jsonb) OWNER TO CURRENT_USER;
ALTER FUNCTION data_loads_hash(data_loads) OWNER TO CURRENT_USER;
ALTER VIEW loads OWNER TO CURRENT_USER;
ALTER FUNCTION champion_at(text, timestamptz) OWNER TO CURRENT_USER;
ALTER VIEW champions OWNER TO CURRENT_USER;
