"""From a bare machine to a running Modelyard: tools, images, cluster, charts, samples.

Standard library only, because this is what installs everything else. Each module holds one idea; `__main__` names
the commands that the Makefile calls.
"""
