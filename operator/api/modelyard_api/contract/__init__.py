"""What operator and pods say to each other: steps in, outcomes out, and the documents on S3 between them."""
