"""The loader as its pod runs it, with the time that passes once everything is imported."""

import json
import runpy
import sys
import time

import modelyard_loader.__main__  # noqa: F401  so that the time is that of the work

if __name__ == "__main__":
    started = time.perf_counter()
    try:
        runpy.run_module("modelyard_loader", run_name="__main__")
    except SystemExit as end:
        status = end.code
    else:
        status = 0
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - started}))
    sys.exit(status)
