"""From a source to the rows of a load: which rows fit, in which order they come, and which of them a load takes."""
