#!/usr/bin/env bash
# Replaces the replicas of compose.yaml one at a time, e.g. by those of a new image, without a failed request:
# starts a new one, waits until HAProxy's check of it has passed, and only then stops and removes an old one, which finishes
# its requests first. If a new one does not get ready, the old ones stay and the exit status is 1.
# COMPOSE_PROJECT_NAME and the variables of compose.yaml must be those of `docker compose up`.
set -euo pipefail
# shellcheck source=deploy/replicas.sh
source "$(dirname "$0")/replicas.sh"

mapfile -t old < <(replicas)
count=${#old[@]}
[ "$count" -gt 0 ] || fail "no replica is running; start them with: docker compose -f $deploy/compose.yaml up -d"
[ "$count" -lt 10 ] || fail "HAProxy has places for ten replicas, and one is needed for the new one; stop one first"
stopped=$(compose ps -aq skinclf 2>/dev/null || compose ps -q skinclf)
[ "$(wc -w <<<"$stopped")" -eq "$count" ] || fail "a replica does not run; start or remove it first (docker ps -a)"

# If interrupted, the replica that is not in use yet goes.
new=
trap '[ -z "$new" ] || docker rm -f "$new" >/dev/null' EXIT
trap 'exit 130' INT TERM

for container in "${old[@]}"; do
    before=$(replicas)
    quietly compose up -d --no-deps --no-recreate --scale "skinclf=$((count + 1))" skinclf ||
        fail "compose could not start another replica"
    new=$(replicas | grep -vxF "$before") || fail "compose started no new replica"
    if ! wait_until_balanced "$new"; then
        docker logs --tail 5 "$new" >&2
        fail "the new replica was not ready within 30 s; it is removed and the others are as before"
    fi
    replaced_by=$new
    new=
    docker stop "$container" >/dev/null
    docker rm "$container" >/dev/null
    echo "${container:0:12} is replaced by ${replaced_by:0:12}"
done
