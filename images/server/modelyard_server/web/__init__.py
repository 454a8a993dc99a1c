"""HTTP: plain ASGI for what is asked thousands of times a second, FastAPI for what people look at."""
