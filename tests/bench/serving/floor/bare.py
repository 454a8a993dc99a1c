"""The least that a server of this model does in Python: an ASGI application without checks, errors, metrics or versions."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import uvicorn

Message = dict[str, Any]


def kernel_of(file: Path) -> Callable[[np.ndarray], tuple[Any, Any]]:
    """The compiled program in a file, or the model of scikit-learn."""
    if file.suffix == ".twin":
        from modelyard_runtime.twin import load  # noqa: PLC0415  only one of the two is in memory

        program = load(file.read_bytes())

        def compiled(matrix: np.ndarray) -> tuple[Any, Any]:
            found = program.predict(matrix, probabilities=True)
            return found.values, found.probabilities

        return compiled
    import joblib  # noqa: PLC0415

    model = joblib.load(file)
    sure = hasattr(model, "predict_proba")
    return lambda matrix: (model.predict(matrix), model.predict_proba(matrix) if sure else None)


def make_application(file: Path) -> Any:  # noqa: ANN401
    """``POST`` of ``{"rows": [{column: value}]}`` at any path."""
    kernel = kernel_of(file)

    def plain(value: Any) -> Any:  # noqa: ANN401
        return value.tolist()

    async def application(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        del scope
        body = b""
        more = True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        rows = [list(row.values()) for row in orjson.loads(body)["rows"]]
        texts = isinstance(rows[0][0], str)
        values, likely = kernel(np.array(rows, dtype=object if texts else np.float64))
        answer = orjson.dumps(
            {"predictions": values, "probabilities": likely},
            default=plain,
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return application


def main() -> None:
    """``bare.py FILE PORT``."""
    file, port = Path(sys.argv[1]), int(sys.argv[2])
    uvicorn.run(
        make_application(file),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
    )


if __name__ == "__main__":
    main()
