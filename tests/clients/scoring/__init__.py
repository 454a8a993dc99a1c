"""MLflow's own client of a scoring server."""
