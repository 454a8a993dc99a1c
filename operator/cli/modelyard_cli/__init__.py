"""The command line of Modelyard. Modules of commands import what they need when they run, so that help is instant."""
