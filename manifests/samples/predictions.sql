-- What was predicted, what was true, and how good that was; for DuckDB, or whatever else reads its SQL.
--
-- The variable `project` is the project's prefix on the bucket, `promotion` the ModelPromotion:
--   duckdb -cmd "SET VARIABLE project = 's3://modelyard/demo'" -cmd "SET VARIABLE promotion = 'housing-production'"
-- with the store's address and key made known once:
--   CREATE SECRET (TYPE s3, KEY_ID '…', SECRET '…', ENDPOINT 'localhost:9000', URL_STYLE 'path', USE_SSL false);

-- Every row that was logged. Versions with other inputs have other columns; `date` prunes files.
CREATE OR REPLACE VIEW predictions AS
SELECT *
FROM read_parquet(
    getvariable('project') || '/predictions/' || getvariable('promotion') || '/*/*.parquet',
    hive_partitioning = true, union_by_name = true
);

-- The label of a row that came last.
CREATE OR REPLACE VIEW labels AS
SELECT request_id, "row", label, label_number, "time" AS labelled_at
FROM read_parquet(
    getvariable('project') || '/feedback/' || getvariable('promotion') || '/*/*.parquet',
    hive_partitioning = true, union_by_name = true
)
QUALIFY row_number() OVER (PARTITION BY request_id, "row" ORDER BY "time" DESC) = 1;

-- Both, for the rows whose label came.
CREATE OR REPLACE VIEW judged AS
SELECT predictions.*, label, label_number, labelled_at
FROM predictions JOIN labels USING (request_id, "row");

-- How good each version is by day: `accuracy` of classifiers, errors of regressions.
CREATE OR REPLACE VIEW quality AS
SELECT
    model, version, role, "date",
    count(*) AS rows,
    avg((class = label)::INTEGER) AS accuracy,
    avg(abs(output - label_number)) AS mae,
    sqrt(avg((output - label_number) ** 2)) AS rmse
FROM judged
GROUP BY ALL;
