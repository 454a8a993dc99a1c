"""The loader's transaction over rows in memory: COPY, key, audit, ledger entry and digest, as a first load does it.

Source, record on S3 and variants are left out; the whole step is measured by itself.
"""

import json
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from modelyard_api.contract.steps import LoadStep, Owner, PostgresEndpoint, S3Endpoint
from modelyard_api.v1alpha1.dataset import Split
from modelyard_api.v1alpha1.loading import Order, SourceOrder
from modelyard_api.v1alpha1.sources import Source, UploadSource
from modelyard_loader.keys import Naming
from modelyard_loader.record.loads import LoadContent, Snapshot
from modelyard_loader.staging.parts import PART_ROWS, Totals
from modelyard_loader.surroundings import utc_now
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.ledger import LedgerEntry
from modelyard_loader.working_copy.loads import Batch, LoadTransaction, commit
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.credentials import Credentials


class Load:
    """Rows in memory as a Dataset's first load."""

    def __init__(self, rows: pa.Table, step: LoadStep) -> None:
        self._rows = rows
        self._step = step
        self._naming = Naming.of(canonical_columns(rows.schema), step.primary_key)
        self._totals = Totals.of(self._naming)

    def write(self, transaction: LoadTransaction) -> LedgerEntry:
        """Carries the load out; sums are made beside the COPY, as the writer of files does it."""
        started = utc_now()
        with ThreadPoolExecutor(1) as pool:
            summed = [pool.submit(self._sum, start) for start in range(0, self._rows.num_rows, PART_ROWS)]
            count = transaction.append(self._naming, self._batches())
            for each in summed:
                self._totals.merge(each.result())
        content = LoadContent(
            parts=[],
            key=list(self._naming.key),
            columns=list(self._naming.columns),
            snapshot=Snapshot(cycle=1, order=self._step.order, rows=count, loaded=count, offered=count),
            missing=self._totals.missing,
            sums=self._totals.sums.state(),
        )
        batch = Batch(count, count, count, 0, self._totals.sums.digest().root, content)
        return transaction.seal(batch, started, utc_now())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._rows.to_batches():
            yield pa.RecordBatch.from_arrays(
                [batch.column(name) for name in self._naming.schema.names], schema=self._naming.schema
            )

    def _sum(self, start: int) -> Totals:
        totals = Totals.of(self._naming)
        totals.add(self._rows.slice(start, PART_ROWS))
        return totals


def main() -> None:
    """Loads the rows of a file, and says how long it took."""
    file, port, schema, secrets = sys.argv[1:]
    rows = pq.read_table(file)
    name = f"rows-{uuid.uuid4().hex[:8]}"
    step = LoadStep(
        owner=Owner(project=schema, name=name, uid=str(uuid.uuid4()), generation=1),
        source=Source(upload=UploadSource()),
        primary_key=["id"],
        variants=[],
        split=Split(),
        postgres=PostgresEndpoint(host="127.0.0.1", port=int(port), schema_=schema),
        s3=S3Endpoint(endpoint_url="", bucket="none", prefix=schema),
        order=Order(source=SourceOrder()),
    )
    login = Credentials(Path(secrets)).postgres()
    started = time.perf_counter()
    commit(Postgres(step.postgres, login), step, Load(rows, step).write)
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - started, "table": name.replace("-", "_")}))


if __name__ == "__main__":
    main()
