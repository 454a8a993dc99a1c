"""Kubernetes objects as far as the operator reads or makes them: typed, small, unknown fields ignored.

The official client's classes for the same objects cost 50 MiB and a slow conversion in Python for each object; these
are validated and written by pydantic's compiled core straight from and to the bytes on the wire.
"""
