"""The run, its model directory and the registry, by MLflow's REST interface.

Six calls are needed. The mlflow client would add forty packages and more than a second of imports to every pod.
"""
