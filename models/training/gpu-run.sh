#!/bin/bash
# Teachers side by side, then their student, on a machine with a GPU that is there for a short time.
#
#   gpu-run.sh bring FOLDER WORK      copies FOLDER into WORK/brought; once for each part where not all can be sent at once
#   gpu-run.sh run WORK OUT SECONDS   trains; leaves OUT/NAME.pt, the averaged weights of each network, and OUT/log
#
# What is brought: HAM10000, or images.csv and its archives (in two parts, for example), and perhaps weights:
#   start-NAME.pt, .pth, .onnx or .tflite   what the teacher NAME, or "student", starts from
#   teacher-*.pt                            further teachers of the student
#
# Settings, as environment variables:
#   TEACHERS   NAME=CONFIG of each, or nothing   (lite0, lite1 and lite2, gpu-teacher-*.toml)
#   STUDENT    CONFIG                            (gpu-student-long.toml)
#   TEACHING   per cent of the time that the teachers get   (45)
#   SETUP      seconds that a process takes before it trains   (20)
#   DEVICE, PYTHON                               (cuda, python3)
#
# Weights in OUT are renewed every 20 seconds of training, so what was learnt is there whenever the machine is lost.

set -u -m # each job in a process group of its own, which can be ended as a whole
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONPATH=$here PYTHONUNBUFFERED=1
TEACHERS=${TEACHERS-lite0=gpu-teacher-lite0.toml lite1=gpu-teacher-lite1.toml lite2=gpu-teacher-lite2.toml}
STUDENT=${STUDENT:-gpu-student-long.toml}
TEACHING=${TEACHING:-45} SETUP=${SETUP:-20} DEVICE=${DEVICE:-cuda} PYTHON=${PYTHON:-python3}
jobs=()

fail() {
    echo "gpu-run.sh: $1" >&2
    exit 1
}

stop() {
    trap '' TERM INT
    exec 2>/dev/null # bash would say how each job ended
    for job in "${jobs[@]}"; do kill -TERM -- "-$job"; done
    wait
    exit 143
}

# Waits for jobs so that a signal is heeded at once.
await() {
    jobs=("$@")
    local failed=0
    for job in "$@"; do wait "$job" || failed=1; done
    jobs=()
    return $failed
}

# train NAME CONFIG UNTIL STEP [ARGUMENT]...: until that many seconds of this script; again without graphs if it fails.
train() {
    local name=$1 config=$2 until=$3 start=() graphs left
    shift 3
    [[ $config == */* ]] || config=$here/configs/$config
    for file in "$work/brought/start-$name."{pt,pth,onnx,tflite}; do
        [ -f "$file" ] && start=(--weights "$file") && break
    done
    for graphs in "" --no-graphs; do
        left=$((until - SECONDS - SETUP))
        [ $left -gt 0 ] || return 1
        timeout --foreground -k 5 $((left + SETUP)) "$PYTHON" -m skinclf_training "$@" "$config" --data "$work/data" \
            --checkpoint "$work/runs/$name.pt" --average "$out/$name.pt" "${start[@]}" --device "$DEVICE" \
            --minutes "$(awk "BEGIN { print $left / 60 }")" --fit $graphs >>"$work/logs/$name.log" 2>&1 && return 0
    done
    return 1
}

run() {
    local end=$((SECONDS + $3)) until training=() asked=() name teacher
    mkdir -p "$1/logs" "$1/runs" "$2"
    work=$(realpath "$1") out=$(realpath "$2") # not local: the trap needs them after the end
    trap 'tail -n +1 "$work"/logs/*.log >"$out/log"' EXIT
    trap stop TERM INT

    timeout --foreground $(($3 / 2)) "$PYTHON" -m skinclf_training prepare "$work/brought" --out "$work/data" \
        >"$work/logs/prepare.log" 2>&1 &
    await $! || fail "prepare failed, see $out/log"

    until=$((SECONDS + (end - SECONDS) * TEACHING / 100))
    for teacher in $TEACHERS; do
        train "${teacher%%=*}" "${teacher#*=}" $until train &
        training+=($!)
    done
    await "${training[@]}" || echo "gpu-run.sh: a teacher failed, see $out/log" >&2

    for teacher in $TEACHERS; do
        name=$out/${teacher%%=*}.pt
        [ -f "$name" ] && asked+=(--teacher "$name")
    done
    for name in "$work"/brought/teacher-*.pt; do
        [ -f "$name" ] && asked+=(--teacher "$name")
    done
    if [ ${#asked[@]} -gt 0 ]; then asked=(distill "${asked[@]}"); else asked=(train); fi
    train student "$STUDENT" "$end" "${asked[@]}" &
    await $! || fail "the student failed, see $out/log"
}

case "${1-} $#" in
    "bring 3") mkdir -p "$3/brought" && cp -r "$2/." "$3/brought/" ;;
    "run 4") run "$2" "$3" "$4" ;;
    *) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
