"""All tests; a package, so that a folder named like a module of the standard library stays below this name."""
