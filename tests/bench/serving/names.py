"""Names of contenders and figures, as the table shows them."""

MODELYARD = "modelyard"
MODELYARD_OIP = "modelyard, OIP"
FLOOR = "bare ASGI, same kernel"
MLSERVER = "MLServer"
KSERVE = "KServe"
BENTOML = "BentoML"
LITSERVE = "LitServe"
MLFLOW = "mlflow models serve"

EVERYONE = (MODELYARD, MODELYARD_OIP, FLOOR, MLSERVER, KSERVE, BENTOML, LITSERVE, MLFLOW)

RATE = "requests a second, 16 connections"
COLD = "start to first answer"
MEMORY = "RSS"
LOST = "lost"
LATE = "p99 of how late the load sent"
OTHERWISE = "rows not answered as by scikit-learn, bit for bit"
LIKELY = "largest difference of a probability"


def relative(peer: str) -> str:
    """Our closed-loop rate over a peer's."""
    return f"rate relative to {peer}"


def of_rate(rate: int, figure: str) -> str:
    """A figure of the open loop."""
    return f"{figure} at {rate:,}/s"
