#!/usr/bin/env bash
# Installs the chart on a kind cluster of two worker nodes, classifies a photo, kills the workers in the middle of another,
# upgrades, and classifies again. Needs docker, kind, kubectl and helm.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=.github/e2e
apps=(api preprocess-worker vision-worker rag-worker llm-worker scheduler)
namespace=workers

for app in "${apps[@]}"; do
  docker build --file docker/Dockerfile --build-arg "APP=$app" --tag "bunri/$app:e2e" .
done
kind create cluster --name bunri --config "$here/kind.yaml" --wait 120s
for app in "${apps[@]}"; do kind load docker-image --name bunri "bunri/$app:e2e"; done

password=$(openssl rand -hex 24)
storage_secret=$(openssl rand -hex 24)
client_secret=$(openssl rand -hex 32)
hash=$(printf '%s' "$client_secret" | sha256sum | cut -d ' ' -f 1)
kubectl create namespace storage
kubectl --namespace storage create secret generic storage --from-literal="S3_SECRET_ACCESS_KEY=$storage_secret"
kubectl apply --filename "$here/storage.yaml"
kubectl create namespace "$namespace"
kubectl --namespace "$namespace" create secret generic bunri-redis \
  --from-literal="REDIS_PASSWORD=$password" --from-literal="REDIS_URL=redis://:$password@bunri-redis:6379"
kubectl --namespace "$namespace" create secret generic bunri-storage \
  --from-literal=S3_ACCESS_KEY_ID=bunri --from-literal="S3_SECRET_ACCESS_KEY=$storage_secret"
kubectl --namespace "$namespace" create secret generic bunri-keys \
  --from-literal="API_KEYS=[{\"id\":\"e2e\",\"sha256\":\"$hash\",\"owner\":\"e2e\",\"scopes\":[\"submit\",\"read\"]}]"
kubectl --namespace "$namespace" create secret generic bunri-test-key --from-literal="BUNRI_API_KEY=e2e.$client_secret"

say() { printf '\n== %s\n' "$*"; }

# Waits until the pod of `helm test` runs; the one of the test before is gone then.
until_test_runs() {
  local second phase
  for ((second = 0; second < 60; second++)); do
    phase=$(kubectl --namespace "$namespace" get pod bunri-test --output jsonpath='{.status.phase}' 2> /dev/null || true)
    [ "$phase" != Running ] || return 0
    sleep 1
  done
  echo 'the test did not start' >&2
  return 1
}

say install
helm install bunri helm/bunri --namespace "$namespace" --values "$here/values.yaml" --wait --timeout 5m
say classify
helm test bunri --namespace "$namespace" --logs

say 'kill every worker while a photo is on its way'
helm test bunri --namespace "$namespace" --logs &
test=$!
until_test_runs
kubectl --namespace "$namespace" delete pods \
  --selector 'app.kubernetes.io/name=bunri,app.kubernetes.io/component notin (api,redis)' --grace-period=0 --force --wait=false
wait "$test"

say 'upgrade, and nothing that holds data begins anew'
volume=$(kubectl --namespace "$namespace" get persistentvolumeclaims --output jsonpath='{.items[*].metadata.uid}')
helm upgrade bunri helm/bunri --namespace "$namespace" --values "$here/values.yaml" --set graceMs=20000 --wait --timeout 5m
test "$(kubectl --namespace "$namespace" get persistentvolumeclaims --output jsonpath='{.items[*].metadata.uid}')" = "$volume"
helm test bunri --namespace "$namespace" --logs
say done
