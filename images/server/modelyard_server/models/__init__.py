"""From a bundle's address to a model that is verified, warm and ready to answer."""
