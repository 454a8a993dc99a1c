"""Clients that others wrote, in environments of their own."""
