"""What is shown of objects: pure, from documents to lines, tables and trees."""
