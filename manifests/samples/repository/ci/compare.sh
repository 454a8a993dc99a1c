#!/usr/bin/env bash
# Compares the candidate with the champion and sends it through the gates. Writes build/ci/report.md, and the HTML report
# of each run that has one to build/ci/reports; ends with 1 where the candidate may not take over.
. "$(dirname "$0")/settings.sh"
candidate=$(cat "$out/candidate") version=$(cat "$out/version")
champion=$(cat "$out/champion" 2>/dev/null || true)
runs=("$candidate")
rm -rf "$out/reports" "$out/diff.json"
if [ -n "$champion" ] && [ "$champion" != "$candidate" ]; then
  runs=("$champion" "$candidate")
  modelyard diff "${runs[@]}" -o json --namespace "$NAMESPACE" >"$out/diff.json"
fi
modelyard compare "${runs[@]}" -o json --reports "$out/reports" --namespace "$NAMESPACE" >"$out/compare.json"

# Put in place as a whole: beside the version that an earlier run has set, `latest` would be one too many.
verb=create
! kube get "modelpromotion/$PROMOTION" >/dev/null 2>&1 || verb=replace
kube "$verb" -f modelyard/promotion.yaml
refused=0
modelyard models promote "$MODEL" "$version" --timeout 15m --namespace "$NAMESPACE" || refused=$?
kube get "modelpromotion/$PROMOTION" -o json >"$out/promotion.json"
worse=0
python3 ci/report.py "$out" >"$out/report.md" || worse=$?
cat "$out/report.md"
exit $((refused ? refused : worse))
