"""``serve_mlserver.py MODEL PORT``: its own scikit-learn runtime in the server's process, as its documentation has it for one model."""

import json
import os
import sys
from pathlib import Path

model, port = Path(sys.argv[1]), int(sys.argv[2])
folder = model.parent / "mlserver"
folder.mkdir(exist_ok=True)
settings = {
    "debug": False,
    "host": "127.0.0.1",
    "http_port": port,
    "grpc_port": port + 1,
    "metrics_port": port + 2,
    "parallel_workers": 0,
}
described = {
    "name": "bench",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": str(model), "version": "1"},
}
(folder / "settings.json").write_text(json.dumps(settings))
(folder / "model-settings.json").write_text(json.dumps(described))
program = Path(sys.executable).with_name("mlserver")
os.execv(program, [str(program), "start", str(folder)])  # noqa: S606  this process becomes the server
