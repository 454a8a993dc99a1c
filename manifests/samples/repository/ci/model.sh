#!/usr/bin/env bash
# Saves the files of the candidate to build/ci/model, and what the server in charge answers to the model's own example.
. "$(dirname "$0")/settings.sh"
rm -rf "$out/model"
modelyard models download "$MODEL" "$(cat "$out/version")" "$out/model" --namespace "$NAMESPACE"
python3 -c 'import json, sys; print(json.dumps({"dataframe_split": json.load(sys.stdin)}))' \
  <"$out/model/input_example.json" >"$out/request.json"
kube port-forward "service/$PROMOTION" 18080:80 >"$out/forward.log" &
trap 'kill $!' EXIT
curl --silent --show-error --fail --retry 20 --retry-delay 1 --retry-connrefused \
  -H 'content-type: application/json' -d "@$out/request.json" http://127.0.0.1:18080/invocations >"$out/model/answers.json"
