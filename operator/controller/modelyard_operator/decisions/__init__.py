"""What should happen next, given what is seen: pure functions of facts and the time."""
