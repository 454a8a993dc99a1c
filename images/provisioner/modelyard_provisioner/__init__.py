"""Makes what projects need in PostgreSQL, the S3 store and MLflow.

Every step says what should be there and may be repeated: the Job runs at each change of the release, and again
whenever it failed half way.
"""
