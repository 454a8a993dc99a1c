"""What a TrainingJob's pod runs: data, pipeline, fit, evaluation, bundle, tracking."""
