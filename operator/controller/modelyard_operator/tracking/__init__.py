"""MLflow over REST: the few calls that promotion needs, without the library and what it would load."""
