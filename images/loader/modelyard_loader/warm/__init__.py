"""The warm loader: one pod that carries out small steps of all Datasets of its project, one after the other."""
