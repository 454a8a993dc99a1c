"""How good a model is: metrics with their intervals, folds, a baseline, plots and a report."""
