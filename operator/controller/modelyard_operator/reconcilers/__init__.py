"""One level-triggered reconcile a kind: gather, decide, make, write the status once."""
