"""A trainer whose compiled code does not listen is ended all the same."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from modelyard_api.contract.outcome import TERMINATION_VARIABLE, parse_outcome

_DEAF = """
import hashlib, os
from modelyard_trainer.stopping import end_soon_after_sigterm
end_soon_after_sigterm(os.environ)
import signal
signal.signal(signal.SIGTERM, lambda *_: None)
print("deaf from now on", flush=True)
hashlib.pbkdf2_hmac("sha256", b"a", b"b", 2_000_000_000)
"""


def test_a_call_that_does_not_return_is_ended_with_the_code_of_a_stopped_pod(tmp_path: Path) -> None:
    answer = tmp_path / "termination-log"
    path = os.pathsep.join(each for each in sys.path if each)
    with subprocess.Popen(
        [sys.executable, "-c", _DEAF],
        env={**os.environ, "PYTHONPATH": path, TERMINATION_VARIABLE: str(answer)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    outcome = parse_outcome(answer.read_text())
    assert outcome is not None
    assert outcome.failure is not None
    assert outcome.failure.failure_class == "Evicted"
