#!/usr/bin/env bash
# Judges resources and data rules offline, in the words of the API server and the operator.
. "$(dirname "$0")/settings.sh"
modelyard validate modelyard
