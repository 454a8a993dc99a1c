"""What watching predictions costs, and whether drift is called as often as is said."""
