"""Training: trials, starts and memory beside scripts of one's own."""
