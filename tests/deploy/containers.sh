#!/usr/bin/env bash
# The image and the replicas behind HAProxy, with a real Docker daemon: tests/deploy/containers.sh BINARY, which must be static
# (see deploy/build-image.sh). Where no daemon answers it says so and passes.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=$(realpath "$1")
healthy_within=${HEALTHY_WITHIN_MS:-2000} # more where other programs use the cores

if ! docker info >/dev/null 2>&1; then
    echo "containers: skipped, no Docker daemon answers"
    exit 0
fi

id=skinclf-test-$$
work=$(mktemp -d)
export IMAGE=$id COMPOSE_PROJECT_NAME=$id SKINCLF_IMAGE=$id:latest SKINCLF_PORT=0 SKINCLF_STATS_PORT=0
clean_up() {
    docker ps -aq --filter "label=com.docker.compose.project=$id" | xargs -r docker rm -f >/dev/null 2>&1 || true
    docker network rm "${id}_default" >/dev/null 2>&1 || true
    docker rm -f "$id" >/dev/null 2>&1 || true
    docker images --format '{{.Repository}}:{{.Tag}}' "$id" | xargs -r docker rmi >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT

# check NAME COMMAND...
check() {
    local name=$1
    shift
    "$@" || { echo "containers: FAILED: $name: $*" >&2; exit 1; }
    echo "ok: $name"
}

# The container of the tests, as hardened as it can be: start FLAG...
start() {
    docker run -d --name "$id" --read-only --cap-drop ALL --security-opt no-new-privileges -p 127.0.0.1:0:8000 "$@" \
        "$id" >/dev/null
    url=http://$(docker port "$id" 8000)
    local deadline=$((SECONDS + 60))
    until curl -fsS "$url/readyz" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || check "is ready within 60 s" false
        [ "$(state .Running)" = true ] || { docker logs "$id" >&2; exit 1; }
        sleep 0.1
    done
}

state() {
    docker inspect --format "{{.State$1}}" "$id"
}

milliseconds_between() {
    echo $((($(date -d "$2" +%s%N) - $(date -d "$1" +%s%N)) / 1000000))
}

is_healthy() {
    docker exec "$id" /skinclf health >"$work/health"
}

probabilities() {
    grep -o '"probabilities": *{[^}]*}' | tr -d ' \n'
}

the_image() {
    check "builds" "$root/deploy/build-image.sh" "$binary"
    check "is smaller than 30 MB" [ "$(docker image inspect --format '{{.Size}}' "$id")" -lt 30000000 ]
    check "runs as 65532" [ "$(docker image inspect --format '{{.Config.User}}' "$id")" = 65532:65532 ]
    docker create --name "$id" "$id" >/dev/null
    # Docker itself adds mount points and files in /etc.
    files=$(docker export "$id" | tar -t | grep -vE '^(\.dockerenv|(dev|etc|proc|sys)/.*)$' | sort | paste -sd' ')
    docker rm "$id" >/dev/null
    check "has the program and its licences alone" [ "$files" = "LICENSE LICENSE-APACHE LICENSE-MIT skinclf" ]
    docker run --rm --read-only --network none -v "$root/samples:/samples:ro" "$id" classify -q -f csv /samples >"$work/container.csv" || true
    "$binary" classify -q -f csv "$root/samples" | sed "s|$root||" >"$work/binary.csv" || true
    check "classifies without a network as the binary does" cmp "$work/binary.csv" "$work/container.csv"
    ! "$root/deploy/build-image.sh" "$(command -v bash)" >/dev/null 2>"$work/error" || check "refuses a dynamic binary" false
    check "refuses a dynamic binary" grep -q "is not static" "$work/error"
}

the_server() {
    start
    for (( wait = 0; wait < 100; wait++ )); do
        [ "$(state .Health.Status)" != healthy ] || break
        sleep 0.1
    done
    check "gets healthy" [ "$(state .Health.Status)" = healthy ]
    local probe took
    probe=$(docker inspect --format '{{range .State.Health.Log}}{{.ExitCode}} {{.End.Format "2006-01-02T15:04:05.999999999Z07:00"}}{{"\n"}}{{end}}' "$id" |
        awk '$1 == 0 {print $2; exit}')
    took=$(milliseconds_between "$(state .StartedAt)" "$probe")
    check "is healthy $took ms after the start (at most $healthy_within)" [ "$took" -le "$healthy_within" ]
    check "answers skinclf health" is_healthy

    for image in lesion-1.jpg wide.jpg lesion-8.webp; do
        curl -fsS -F "file=@$root/samples/$image" "$url/predict" | probabilities >"$work/server.txt"
        "$binary" classify -q -f jsonl "$root/samples/$image" | probabilities >"$work/binary.txt"
        check "read-only, answers $image as the binary does" cmp "$work/server.txt" "$work/binary.txt"
    done
    docker rm -f "$id" >/dev/null
}

# With so little CPU that the requests take seconds.
the_end() {
    start --cpus 0.1
    local request pids=()
    for request in 1 2 3; do
        curl -sS -o /dev/null -w '%{http_code}\n' -F "file=@$root/samples/lesion-1.jpg" "$url/predict?tta=true" >"$work/status-$request" &
        pids+=($!)
    done
    local deadline=$((SECONDS + 60))
    until grep -Eq '^skinclf_queue_depth [1-9]' <<<"$(curl -fsS "$url/metrics")"; do
        [ $SECONDS -lt $deadline ] || check "a request waits" false
    done
    local told took
    told=$(date --iso-8601=ns)
    docker stop --time 20 "$id" >/dev/null
    took=$(milliseconds_between "$told" "$(state .FinishedAt)")
    wait "${pids[@]}"
    check "with requests in flight, SIGTERM ends it with status 0" [ "$(state .ExitCode)" = 0 ]
    check "and all of them are answered" [ "$(sort -u "$work"/status-*)" = 200 ]
    check "within the drain time of 10 s, $took ms" [ "$took" -le 10000 ]
    docker rm "$id" >/dev/null
}

the_replicas() {
    # shellcheck source=deploy/replicas.sh
    source "$root/deploy/replicas.sh"
    docker image inspect haproxy:2.6 >/dev/null 2>&1 || "$root/deploy/haproxy/build-image.sh" >/dev/null 2>&1
    compose up -d --scale skinclf=3 >/dev/null 2>&1
    for container in $(replicas); do
        check "HAProxy finds ${container:0:12}" wait_until_balanced "$container"
    done
    url=http://$(compose port haproxy 8080)
    for (( request = 0; request < 12; request++ )); do
        curl -fsS -D - -o /dev/null -F "file=@$root/samples/lesion-1.jpg" "$url/predict" | tr -d '\r' | grep -i '^x-served-by:'
    done >"$work/served"
    check "all three replicas serve" [ "$(sort -u "$work/served" | wc -l)" = 3 ]
    head -c 17000000 /dev/zero >"$work/large"
    check "HAProxy refuses a body of 17 MB" [ "$(curl -sS -o /dev/null -w '%{http_code}' --data-binary "@$work/large" "$url/predict")" = 413 ]
    compose down --timeout 1 >/dev/null 2>&1

    # A short form of the measurement, which fails if a client sees a failed request.
    check "no request fails while replicas are added, killed and replaced" \
        env USERS=20 SPAWN_RATE=20 DURATION=6s SATURATED_DURATION=6s ROUNDS=2 FAULT_SECONDS=5 REPEATS=1 \
        "$root/deploy/scale-test.sh" "$work/runs"
}

the_image
the_server
the_end
the_replicas
