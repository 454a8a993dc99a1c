"""One row at a time: compiled programs beside the models that they were compiled from."""
