"""A client of the Open Inference Protocol."""
