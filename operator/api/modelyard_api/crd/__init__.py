"""From the models to CustomResourceDefinitions: the only writer of ``manifests/crds`` and of the CRD chart."""
