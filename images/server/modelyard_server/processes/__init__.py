"""Several processes in one pod: who starts them, and how they speak for the pod with one voice."""
