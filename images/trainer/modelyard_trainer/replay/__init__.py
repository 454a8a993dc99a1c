"""Making a run again from what it recorded, and saying what differs."""
