"""One module a command: options, and what is put together for it."""
