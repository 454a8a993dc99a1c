"""What the operator makes: pure builders of typed objects, the same output for the same input."""
