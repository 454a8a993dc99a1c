#!/usr/bin/env bash
# Trains the model of the base branch on that branch's data, and notes its run: the one to be beaten.
. "$(dirname "$0")/settings.sh"
rm -rf "$out/champion" "$out/base"
if ! git cat-file -e "$BASE:./modelyard/model.yaml" 2>/dev/null; then
  echo "there is no champion yet: $BASE has no modelyard/model.yaml"
  exit 0
fi
mkdir "$out/base"
git archive "$BASE" modelyard | tar -x -C "$out/base"
job=$(train "$out/base/modelyard")
kube get "trainingjob/$job" -o jsonpath='{.status.run.id}' >"$out/champion"
