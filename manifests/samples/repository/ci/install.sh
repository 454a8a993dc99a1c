#!/usr/bin/env bash
# Installs the command line `modelyard`, with its libraries as Modelyard pins them, for the python3 on the PATH.
. "$(dirname "$0")/settings.sh"
python3 -m pip install --quiet --require-hashes --no-deps -r "$MODELYARD_HOME/operator/cli/requirements.txt"
python3 -m pip install --quiet --no-deps "$MODELYARD_HOME/operator/api" "$MODELYARD_HOME/operator/cli"
modelyard --help >/dev/null
