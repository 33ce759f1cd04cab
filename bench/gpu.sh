#!/usr/bin/env bash
# Tests and times the CUDA engine on a machine with an NVIDIA GPU, in at most nine minutes and without
# a network:
#
#   bench/gpu.sh RESULTS [BUILD]
#
# RESULTS is a folder for logs and JSON. BUILD is a build folder made elsewhere with -DITO_BUILD_TESTS=ON
# -DITO_BUILD_BENCH=ON, for machines without the libraries that building needs; without it the script
# builds build/gpu. What a machine does not have (compute-sanitizer, torch, JAX) is skipped and said.
# The last lines are a short table; bench/results/GPU.md is the ledger they belong in.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
begin=$SECONDS
budget=540  # seconds

results=${1:?usage: bench/gpu.sh RESULTS [BUILD]}
mkdir -p "$results"
results=$(cd "$results" && pwd)
build=${2:-build/gpu}
export ITO_CACHE_DIR=$PWD/build/gpu_cache
failed=()

left() { echo $((budget - (SECONDS - begin))); }

# stage NAME SECONDS COMMAND…: its output goes to RESULTS/NAME.log; not after the budget is spent.
stage() {
  local name=$1 limit=$2 start=$SECONDS status=0
  ((limit <= $(left))) || limit=$(left)
  if ((limit < 5)); then
    echo "$name: no time left"
    failed+=("$name")
    return
  fi
  timeout "$limit" "${@:3}" >"$results/$name.log" 2>&1 || status=$?
  echo "$name: exit status $status, $((SECONDS - start)) s"
  ((status == 0)) || failed+=("$name")
}

build_here() {
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DITO_CUDA=ON -DITO_BUILD_TESTS=ON \
    -DITO_BUILD_BENCH=ON &&
    ninja -C "$build" ito_program cuda_tests engine_tests cuda_training_tests ito_bench
}

# Where there is a device, the engine's tests run on it and not on the emulation.
engine_tests() { "$build/tests/engine_tests" --gtest_filter='*cuda*'; }
# Less what counts the calls of the emulated device.
training_tests() { "$build/tests/cuda_training_tests" --gtest_filter='-*OneGraph*'; }

# The loops there and back, with and without contexts, from stored states and from checkpoints.
small_set='Engines/Detach.IsTheGradient*/cuda:Engines/Checkpoint.GivesTheBitsOfStoredStates/cuda'
small_set+=':Engines/BatchSplit.LeavesThePathsOfWhole*/cuda:Engines/Precision.IsFaithfulForEveryNumberOfPaths/*'
sanitize() {
  compute-sanitizer --tool "$1" --error-exitcode 1 "$build/tests/engine_tests" --gtest_filter="$small_set"
}

nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,memory.total --format=csv,noheader |
  tee "$results/card.txt"
[[ -n ${2:-} ]] || stage build 240 build_here
stage info 20 "$build/src/ito" info
stage cuda_tests 60 "$build/tests/cuda_tests"
stage engine_tests 120 engine_tests
stage training_tests 60 training_tests
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do stage "$tool" 25 sanitize "$tool"; done
else
  echo "compute-sanitizer: not here"
fi
stage compile 90 "$build/bench/ito_bench" --compile
# All rows in one process, in their order: what the time does not suffice for is missing at the end.
stage bench 150 python3 bench/gpu.py run "$build/bench/ito_bench" "$results" --seconds 140
stage peers 120 python3 bench/gpu.py peers "$results" --seconds 110
python3 bench/gpu.py table "$results"
echo "$((SECONDS - begin)) s in all"
if ((${#failed[@]})); then
  echo "FAILED: ${failed[*]}"
  exit 1
fi
