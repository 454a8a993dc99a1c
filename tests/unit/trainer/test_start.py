"""What a pod loads before it fits."""

import subprocess
import sys

_SAY = "import sys, modelyard_trainer.__main__; print(*{name.partition('.')[0] for name in sys.modules})"


def test_a_pod_loads_nothing_before_the_fit_that_only_some_jobs_or_later_steps_need() -> None:
    done = subprocess.run([sys.executable, "-c", _SAY], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "sklearn" in loaded
    assert not loaded & {"skops", "xgboost", "lightgbm", "imblearn", "matplotlib"}
