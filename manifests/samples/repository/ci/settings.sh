# shellcheck shell=bash
# What the steps share; sourced by each. Every value can be given in the environment instead.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

: "${MODELYARD_HOME:=../modelyard}"              # a checkout of Modelyard
: "${NAMESPACE:=demo}"                           # the project
: "${MODEL:=house-prices}"                       # register.modelName of modelyard/model.yaml
: "${DATASET:=houses}"                           # name of modelyard/data.yaml
: "${PROMOTION:=house-prices-production}"        # name of modelyard/promotion.yaml
: "${BASE:=origin/main}"                         # the branch whose model is to be beaten
if [ -z "${KUBECONFIG:-}" ] && [ -f "$MODELYARD_HOME/build/kubeconfig" ]; then
  KUBECONFIG=$(cd "$MODELYARD_HOME/build" && pwd)/kubeconfig
fi
[ -z "${KUBECONFIG:-}" ] || export KUBECONFIG
out=build/ci
mkdir -p "$out"

kube() { kubectl --namespace "$NAMESPACE" "$@"; }

# Loads the data of a folder, insists on their rules, and trains its model under a name that follows from the files, so
# that the same files find the job that is there. Prints the job's name.
train() {
  local folder=$1 job broken
  modelyard data load "$folder/data.yaml" --complete --namespace "$NAMESPACE" >&2
  broken=$(kube get "dataset/$DATASET" -o jsonpath='{.status.conditions[?(@.type=="Valid")].status} {.status.conditions[?(@.type=="Valid")].message}')
  if [ "${broken%% *}" != True ]; then
    echo "a rule of $DATASET is broken: ${broken#* }" >&2
    return 1
  fi
  job=$MODEL-$(cat "$folder/data.yaml" "$folder/model.yaml" | sha256sum | cut -c1-8)
  modelyard train "$folder/model.yaml" --name "$job" --namespace "$NAMESPACE" >&2
  echo "$job"
}
