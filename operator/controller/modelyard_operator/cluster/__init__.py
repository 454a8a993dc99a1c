"""The API server: the only package that speaks to it.

The client is a thin layer over aiohttp: the operator needs ten calls, and the official client's generated classes would
take a third of its memory budget.
"""
