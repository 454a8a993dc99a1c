"""Every metric as a function of weighted rows, so that its value and its resamples come from the same code."""
