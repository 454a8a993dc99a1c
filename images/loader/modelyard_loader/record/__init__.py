"""The record: batches, variants and manifests on S3, each named by its content. Training reads nothing else."""
