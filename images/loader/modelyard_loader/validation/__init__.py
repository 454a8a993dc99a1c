"""Rules about the data: checked against the columns before anything is built, judged before anything is published."""
