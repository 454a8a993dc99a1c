"""The operator: watches the three kinds, makes their Jobs and servers, and writes the truth back."""
