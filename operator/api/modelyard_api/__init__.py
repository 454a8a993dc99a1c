"""The three resources of Modelyard and every contract between its parts; depends on pydantic only, judging also on cronsim."""

GROUP = "modelyard.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
