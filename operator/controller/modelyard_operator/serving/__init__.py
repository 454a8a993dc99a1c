"""The servers' own word on which route they serve."""
