"""Three ways of asking for the same prediction: how each writes rows, answers and errors."""
