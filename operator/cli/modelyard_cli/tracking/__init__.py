"""MLflow from a person's machine: runs, models and files, with the rights of a project."""
