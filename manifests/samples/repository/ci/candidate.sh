#!/usr/bin/env bash
# Loads the data of this checkout, insists on their rules, trains its model, and notes its run and version.
. "$(dirname "$0")/settings.sh"
job=$(train modelyard)
kube get "trainingjob/$job" -o jsonpath='{.status.run.id}' >"$out/candidate"
kube get "trainingjob/$job" -o jsonpath='{.status.model.version}' >"$out/version"
