"""Errors by what should happen next; only the edges know status codes."""

from __future__ import annotations


class OperatorError(Exception):
    """Anything that the operator knows how to go on from."""


class UnavailableError(OperatorError):
    """A server did not answer or asked for patience. The reconcile is tried again with backoff."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotHolderError(OperatorError):
    """The Lease is not ours (any more): nothing may be written."""


class ClusterError(OperatorError):
    """The API server refused a request."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class NotFoundError(ClusterError):
    """There is no such object."""


class AlreadyExistsError(ClusterError):
    """An object of this name is there."""


class ConflictError(ClusterError):
    """The object changed since it was read."""


class InvalidError(ClusterError):
    """The object is refused for what it says: admission, quota of its kind, or schema."""


class ForbiddenError(ClusterError):
    """Not permitted: by RBAC, by a quota, or because the namespace is going away."""


class TrackingError(OperatorError):
    """MLflow refused a request for a reason that does not pass by itself."""
