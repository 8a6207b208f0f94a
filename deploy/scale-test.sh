#!/usr/bin/env bash
# Measures 1, 2 and 3 replicas behind HAProxy and what clients see of a replica that is killed and of a rolling restart.
#   deploy/scale-test.sh DIR
# writes the runs (JSON) and their comparisons (Markdown) to DIR. The exit status is 1 if a request failed. Builds the images
# that are missing. About 25 minutes; shorter with the variables below. Needs nothing else on the machine that takes CPU.
set -euo pipefail
# shellcheck source=deploy/replicas.sh
source "$(dirname "$0")/replicas.sh"

[ $# -eq 1 ] || fail "usage: scale-test.sh DIR"
mkdir -p "$1"
dir=$(cd "$1" && pwd)

users=${USERS:-50}
spawn_rate=${SPAWN_RATE:-5}
duration=${DURATION:-2m}                     # of the users with think time
saturated_duration=${SATURATED_DURATION:-1m} # of those without
rounds=${ROUNDS:-3}                          # of those without: the median is compared
fault_seconds=${FAULT_SECONDS:-15}           # of load before and after a replica is killed, or all are replaced
repeats=${REPEATS:-3}
export SKINCLF_CPUS=${SKINCLF_CPUS:-0.5} SKINCLF_IMAGE=${SKINCLF_IMAGE:-skinclf:latest}
export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-skinclf-scale-test}
# A free port, unless one is given.
export SKINCLF_PORT=${SKINCLF_PORT:-0} SKINCLF_STATS_PORT=${SKINCLF_STATS_PORT:-0}

build_missing_images() {
    docker image inspect "$SKINCLF_IMAGE" >/dev/null 2>&1 || "$deploy/build-image.sh"
    docker image inspect haproxy:2.6 >/dev/null 2>&1 || docker pull --quiet haproxy:2.6 2>/dev/null ||
        "$deploy/haproxy/build-image.sh"
}

# The load generator is the program of the image, so that it is the same build.
copy_generator() {
    local container
    container=$(docker create "$SKINCLF_IMAGE")
    docker cp "$container:/skinclf" "$tools/skinclf" >/dev/null
    docker rm "$container" >/dev/null
}

start_replicas() {
    quietly compose up -d --scale "skinclf=$1" || fail "compose could not start $1 replicas"
    local container
    for container in $(replicas); do
        wait_until_balanced "$container" || fail "replica ${container:0:12} was not ready within 30 s"
    done
    url=http://$(compose port haproxy 8080)
}

# generator NAME FLAG...: sets `generator` to the command that runs the users through HAProxy and saves DIR/NAME.json.
generator() {
    local name=$1 container name_of_container
    generator=("$tools/skinclf" bench --url "$url" --users "$users" --spawn-rate "$spawn_rate"
        --csv "$tools/$name" --format json -o "$dir/$name.json" "${@:2}")
    # The load test reads what each replica uses, where it knows how.
    if grep -q -- '--container ' <<<"$("$tools/skinclf" bench --help)"; then
        for container in $(replicas); do
            name_of_container=$(docker inspect --format '{{.Name}}' "$container")
            generator+=(--container "${name_of_container#/}") # charts name it
        done
    fi
}

# Failed requests (1) are counted at the end, and the faults end the load when they are over (130).
ran() {
    [ "$1" -eq 0 ] || [ "$1" -eq 1 ] || [ "$1" -eq 130 ] || fail "the load test failed with status $1"
}

# Of the run NAME: the second column of Locust's table is the requests, the third those that failed.
counted() {
    awk -F, '$2 == "Aggregated" {print $3, $4}' "$tools/$1_stats.csv"
}

scaling() {
    local n round
    echo "== each replica has at most $SKINCLF_CPUS of $(nproc) cores; HAProxy and the load generator have the rest"
    # In turns, so that what else the machine's host does falls on all of them.
    for round in $(seq "$rounds"); do
        for n in 1 2 3; do
            echo "== $n replicas, round $round of $rounds"
            start_replicas "$n"
            if [ "$round" -eq 1 ]; then
                generator "users-$n" --duration "$duration"
                "${generator[@]}" || ran $?
            fi
            generator "saturated-$n-round-$round" --think 0 --duration "$saturated_duration"
            "${generator[@]}" || ran $?
        done
    done
    for n in 1 2 3; do
        cp "$dir/saturated-$n-round-$(median_round "$n").json" "$dir/saturated-$n.json"
    done
    for n in users saturated; do
        "$tools/skinclf" bench --compare "1=$dir/$n-1.json" "2=$dir/$n-2.json" "3=$dir/$n-3.json" --format markdown |
            tee "$dir/$n.md"
    done
}

# Of the saturated runs of N replicas, the round whose rate is the median; of two in the middle, the lower. The tenth column
# of Locust's table is the rate.
median_round() {
    local round
    for round in $(seq "$rounds"); do
        echo "$(awk -F, '$2 == "Aggregated" {print $10}' "$tools/saturated-$1-round-${round}_stats.csv") $round"
    done | sort -g | awk -v middle=$(((rounds + 1) / 2)) 'NR == middle {print $2}'
}

kill_one() {
    killed=$(replicas | tail -n 1)
    docker kill --signal KILL "$killed" >/dev/null
}

restore_killed() {
    docker start "$killed" >/dev/null
    wait_until_balanced "$killed" || fail "the killed replica did not get ready again"
}

# under_load NAME THINK COMMAND: with load before, while and after the command runs.
under_load() {
    local name=$1 think=$2 begun repeated
    repeated=$(repeats_of_haproxy)
    generator "$name" --think "$think" --duration 1h
    "${generator[@]}" &
    pid=$!
    sleep "$fault_seconds"
    begun=$SECONDS
    "$3"
    echo "   $3 took $((SECONDS - begun)) s"
    sleep "$fault_seconds"
    kill -TERM "$pid"
    wait "$pid" || ran $?
    pid=
    repeated=$(($(repeats_of_haproxy) - repeated))
    echo "| $name | $think | $(counted "$name" | sed 's/ / | /') | $repeated |" | tee -a "$dir/faults.md"
}

# How often HAProxy has sent a request again since it was started.
repeats_of_haproxy() {
    balancer_stats svname wretr | awk '$1 == "BACKEND" {print $2}'
}

rolling_restart() {
    "$deploy/rolling-restart.sh" >/dev/null
}

faults() {
    local n think
    start_replicas 3
    printf '%s\n' "| run | think time | requests | failures | repeated by HAProxy |" "| --- | --- | ---: | ---: | ---: |" >"$dir/faults.md"
    for think in 1s-3s 0; do
        for n in $(seq "$repeats"); do
            under_load "kill-think-$think-$n" "$think" kill_one
            restore_killed
            under_load "rolling-restart-think-$think-$n" "$think" rolling_restart
        done
    done
    cat "$dir/faults.md"
}

tools=$(mktemp -d)
pid= # of a load test in the background
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; compose down --timeout 1 >/dev/null 2>&1 || true; rm -rf "$tools"' EXIT
build_missing_images
copy_generator
scaling
faults
failures=$(cat "$tools"/*_stats.csv | awk -F, '$2 == "Aggregated" {sum += $4} END {print sum + 0}')
echo "failed requests in all runs: $failures"
[ "$failures" -eq 0 ]
