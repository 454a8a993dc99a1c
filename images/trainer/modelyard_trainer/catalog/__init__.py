"""Makes the catalog of classes from the libraries that are installed here."""
