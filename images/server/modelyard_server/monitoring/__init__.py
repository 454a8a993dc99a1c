"""What is learnt from answered requests: the prediction log, true labels and drift. None of it is done on their time."""
