"""Answers predictions for the versions of a route, in three dialects of HTTP over one implementation."""

SERVER_NAME = "modelyard"
SERVER_VERSION = "0.1.0"
