"""What it costs to load, step, build and keep a Dataset, beside the tools that people use for each today."""
