"""Own code in the place of a pipeline: rows are handed to a container, and what it makes is judged and recorded.

Three steps in three containers of one pod, the container with own code between the first two. ``prepare`` and ``record`` have
credentials and read what others wrote as plain files. ``judge`` has none: it loads a model that somebody else wrote.
"""
