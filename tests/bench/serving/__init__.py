"""Predictions over HTTP: our server beside a bare one with the same kernel, and beside those that a user could pick instead."""
