"""Requests made from the server's own description of itself, and wrong ones beside them."""
