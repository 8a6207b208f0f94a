# For the scripts beside it: the replicas of compose.yaml, as Docker and HAProxy see them.
# shellcheck shell=bash

deploy=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Compose 2 is a plugin of docker, version 1 a program of its own.
compose() {
    if docker compose version >/dev/null 2>&1; then
        docker compose -f "$deploy/compose.yaml" "$@"
    else
        command -v docker-compose >/dev/null || fail "neither docker compose nor docker-compose is installed"
        docker-compose -f "$deploy/compose.yaml" "$@"
    fi
}

fail() {
    echo "${0##*/}: $1" >&2
    exit 1
}

# What a command prints is shown if it fails.
quietly() {
    local output
    output=$("$@" 2>&1) || { echo "$output" >&2; return 1; }
}

# The identifiers of the containers that run, oldest first.
replicas() {
    local all
    all=$(compose ps -q skinclf)
    [ -z "$all" ] || xargs docker inspect --format '{{.Created}} {{.Id}} {{.State.Running}}' <<<"$all" |
        sort | awk '$3 == "true" {print $2}'
}

address_of() {
    docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"
}

# Fields of HAProxy's statistics, by name, of the servers and sums of a backend: balancer_stats FIELD...
balancer_stats() {
    curl -fsS --max-time 5 "http://$(compose port haproxy 8404)/;csv" | awk -F, -v wanted="$*" '
        NR == 1 { sub(/^# /, ""); for (i = 1; i <= NF; i++) at[$i] = i; n = split(wanted, names, " "); next }
        $1 == "replicas" { line = ""; for (i = 1; i <= n; i++) line = line $at[names[i]] " "; print line }'
}

# Waits until HAProxy has found the container and its check has passed.
wait_until_balanced() {
    local container=$1 address deadline=$((SECONDS + 30))
    address=$(address_of "$container")
    until grep -q "^$address:8000 UP L7OK " <<<"$(balancer_stats addr status check_status)"; do
        [ "$(docker inspect --format '{{.State.Running}}' "$container")" = true ] || return 1
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.2
    done
}
