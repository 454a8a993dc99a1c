#!/usr/bin/env bash
# Makes a kind cluster with Modelyard on it, or finds it. `make -C "$MODELYARD_HOME" down` takes it away.
. "$(dirname "$0")/settings.sh"
make -C "$MODELYARD_HOME" install
