#!/usr/bin/env bash
# Tests and times the CUDA engine on a machine with an NVIDIA GPU, which needs no network:
#
#   bench/gpu.sh tests RESULTS [BUILD]        the device's own tests, memcheck, the engine's and training's
#   bench/gpu.sh sanitizers RESULTS [BUILD]   racecheck, initcheck, synccheck
#   bench/gpu.sh bench RESULTS [BUILD]        rates of the engine beside their limits
#   bench/gpu.sh python RESULTS               tests of the Python package, with torch and JAX where they are
#   bench/gpu.sh peers RESULTS                those of torch, JAX, diffrax and torchsde
#   bench/gpu.sh table RESULTS                what the two have measured so far
#   bench/gpu.sh pack FOLDER [BUILD]          makes a folder that runs all of this elsewhere
#
# Each takes at most nine minutes and writes to the folder RESULTS as it goes: COMMAND.log, and JSON of
# rates, the reference workload first. What was cut short keeps what it had. Tools that a machine does
# not have (compute-sanitizer, torch, JAX) are skipped and named. bench/results/GPU.md is the ledger.
#
# BUILD, build/gpu unless told otherwise, is built where it is not there yet. `pack` needs no card:
# FOLDER gets the programs, the libraries they need, the scripts, and the kernels compiled for
# ITO_COMPILE_FOR (90 for sm_90), which takes long and goes on where it was interrupted.
# FOLDER/bench/gpu.sh is then this script for a machine with a card and little else: python3 and the
# CUDA libraries NVRTC and cuBLAS.
set -uo pipefail

usage() {
  sed -n '4,10s/^# *//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}
(($# == 2 || $# == 3)) || usage
mkdir -p "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command=$1
build=$(realpath -m "${3:-build/gpu}")
export build ITO_BENCH_DIGITS=$PWD/examples/digits
export ITO_CACHE_DIR=${ITO_CACHE_DIR:-$PWD/build/gpu_cache}
begin=$SECONDS
budget=530  # seconds
failed=()

# Tests that meet the device. Where there is one, they run on it and not on the emulation.
export device_tests='*cuda*:CudaSolvers.*:CudaTangents*:CudaGradientMethods.*:CudaTape*:*CudaSizes*:*CudaCaptures*:LayeredKernels.*'
# Less what counts the calls of the emulated device.
export training_tests='-*OneGraph*'
# The loops there and back, with and without contexts, from stored states and from checkpoints.
small_set='Engines/Detach.IsTheGradient*/cuda:Engines/Checkpoint.GivesTheBitsOfStoredStates/cuda'
small_set+=':Engines/BatchSplit.ChangesNoPathOfWhole*/cuda:Engines/Precision.IsFaithfulForEveryNumberOfPaths/cuda*'
small_set+=':Engines/Size.*/cuda*'
export small_set

build_here() {
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DITO_CUDA=ON -DITO_BUILD_TESTS=ON \
    -DITO_BUILD_BENCH=ON &&
    ninja -C "$build" ito_program cuda_tests engine_tests cuda_training_tests ito_bench
}

left() { echo $((budget - (SECONDS - begin))); }

# stage NAME SECONDS COMMAND…: its output goes to the log; not after the budget is spent.
stage() {
  local name=$1 limit=$2 start=$SECONDS status=0
  ((limit <= $(left))) || limit=$(left)
  if ((limit < 5)); then
    echo "$name: no time left"
    failed+=("$name")
    return
  fi
  printf '\n== %s\n' "$name" >>"$log"
  timeout "$limit" bash -c '"$@"' "$name" "${@:3}" >>"$log" 2>&1 || status=$?
  echo "$name: exit status $status, $((SECONDS - start)) s"
  ((status == 0)) || failed+=("$name")
}

# in_shards COUNT PROGRAM FILTER: a Google Test program as several processes, for the sake of their
# processors, and so that a fault on the device, which ends all that follow it in a process, ends few.
in_shards() {
  local shard processes=() status=0
  for ((shard = 0; shard < $1; ++shard)); do
    (
      GTEST_TOTAL_SHARDS=$1 GTEST_SHARD_INDEX=$shard "$2" --gtest_filter="$3" 2>&1 | sed -u "s/^/$shard: /"
      exit "${PIPESTATUS[0]}"
    ) &
    processes+=($!)
  done
  for shard in "${processes[@]}"; do wait "$shard" || status=1; done
  return $status
}

# Under compute-sanitizer. The runtime is gone when modules are unloaded at the end: no error.
sanitize() {
  compute-sanitizer --tool "$1" --report-api-errors no --error-exitcode 1 "$build/tests/engine_tests" \
    --gtest_filter="$small_set"
}
sanitize_if_there() {  # TOOL SECONDS
  if command -v compute-sanitizer >/dev/null; then
    stage "$1" "$2" sanitize "$1"
  else
    echo "$1: compute-sanitizer is not here"
  fi
}

# find_library VARIABLE NAME: names a library of CUDA's that stands where nobody looks, as those of
# Python packages do.
find_library() {
  [[ -z ${!1:-} ]] || return
  { ldconfig -p; ls /usr/local/cuda/lib64/; } 2>/dev/null | grep -q "$2\.so\.1[23]" && return
  local file
  file=$(find /usr /opt -name "$2.so.1[23]" 2>/dev/null | tail -n 1)
  [[ -z $file ]] || export "$1=$file"
}

tests() {
  stage info 20 "$build/src/ito" info
  stage gpu_tests 60 "$build/tests/cuda_tests" --gtest_filter='GpuTest.*'
  sanitize_if_there memcheck 100
  stage engine_tests 300 in_shards "$shards" "$build/tests/engine_tests" "$device_tests"
  stage training_tests 100 in_shards 4 "$build/tests/cuda_training_tests" "$training_tests"
  grep -hE '^([0-9]+: )?\[  (FAILED  \] .*\)|PASSED  \].*)$' "$log"
}

sanitizers() {
  sanitize_if_there racecheck 240
  sanitize_if_there initcheck 120
  sanitize_if_there synccheck 120
}

rates() {
  stage compile 200 "$build/bench/ito_bench" --compile
  stage rates 600 python3 bench/gpu.py run "$build/bench/ito_bench" "$folder" --seconds $(($(left) - 5))
}

peers() {
  stage peers 600 python3 bench/gpu.py peers "$folder" --seconds $(($(left) - 5))
}

# The wheel, in an environment with what is installed here and nothing else.
python() {
  local environment=$build/python
  python3 -m venv --system-site-packages "$environment" &&
    "$environment/bin/pip" install --quiet --no-index --find-links out/wheels itosde pytest || return
  stage python_tests 300 "$environment/bin/python" -m pytest -v -rs python/tests/cuda_test.py
  stage python_others 200 "$environment/bin/python" -m pytest -q python/tests
  grep -hE '^(FAILED|SKIPPED)|passed|failed' "$log"
}

# The package and what it needs to be tested without a network, for the Pythons that a machine may have.
pack_python() {
  local version
  ./run wheel >/dev/null && cp --parents -r python/tests out/wheels "$folder" || return
  for version in 3.10 3.11 3.12 3.13; do
    build/python-wheel/bin/pip download --quiet --disable-pip-version-check --only-binary=:all: \
      --python-version "$version" --dest "$folder/out/wheels" nanobind-backend numpy pytest || return
  done
}

# Every kernel of the tests and of the rows, compiled without a card: see bench/compiling_gpu.cpp.
# What the tests find on a device that computes nothing is of no interest.
fill_cache() {
  export ITO_COMPILE_FOR=${ITO_COMPILE_FOR:-90}
  "$build/bench/ito_bench" --compile
  "$build/bench/ito_bench" --benchmark_filter=/training/ --benchmark_min_time=1e-9
  in_shards "$(nproc)" "$build/tests/engine_tests" "$device_tests"
  in_shards "$(nproc)" "$build/tests/cuda_training_tests" "$training_tests"
}

# unpack_cache FOLDER: what `pack` has put there.
unpack_cache() {
  [[ -d $1/build/gpu_cache || ! -f $1/build/gpu_cache.tar.xz ]] ||
    python3 -m tarfile -e "$1/build/gpu_cache.tar.xz" "$1/build"
}

pack() {
  local to=$folder/build/gpu program
  cp --parents bench/gpu.sh bench/*.py bench/peers/*.py examples/digits/{model.json,digits.csv} "$folder" || exit
  git describe --always --dirty >"$folder/commit"
  mkdir -p "$to/lib"
  for program in src/ito bench/ito_bench tests/{cuda_tests,engine_tests,cuda_training_tests}; do
    install -D -s "$build/$program" "$to/$program" || exit
  done
  # All but what belongs to the system's C and C++.
  ldd "$build"/tests/*_tests "$build/bench/ito_bench" "$build/src/ito" | awk '/=> \//{print $3}' | sort -u |
    grep -vE '/(libc|libm|libstdc\+\+|libgcc_s)\.so' | xargs install -s -t "$to/lib"
  pack_python || exit
  unpack_cache "$folder"
  ITO_CACHE_DIR=$folder/build/gpu_cache fill_cache >"$folder/pack.log" 2>&1
  XZ_OPT=-9 tar -C "$folder/build" -cJf "$folder/build/gpu_cache.tar.xz" gpu_cache || exit
  rm -r "$folder/build/gpu_cache"
  du -sh "$folder"
}

if [[ $command != peers && $command != table && $command != python ]]; then
  [[ -x $build/tests/engine_tests && -x $build/bench/ito_bench ]] || build_here || exit
  [[ ! -d $build/lib ]] || export LD_LIBRARY_PATH=$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
case $command in
  pack) pack && exit ;;
  table) ;;
  tests | sanitizers | bench | peers | python)
    unset ITO_COMPILE_FOR  # from here on kernels run
    log=$folder/$command.log
    : >"$log"
    shards=$(($(nproc) < 12 ? $(nproc) : 12))
    export PATH=$PATH:/usr/local/cuda/bin:/usr/local/cuda/compute-sanitizer
    unpack_cache .
    find_library ITO_NVRTC libnvrtc
    find_library ITO_CUBLAS libcublas
    export -f in_shards sanitize
    if [[ $command != peers && $command != python ]] && "$build/src/ito" info | grep -E '^CUDA device +none'; then exit 1; fi
    nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,memory.total --format=csv,noheader |
      tee "$folder/card.txt"
    if [[ $command == bench ]]; then rates; else "$command"; fi
    ;;
  *) usage ;;
esac
[[ $command != bench && $command != peers && $command != table ]] || python3 bench/gpu.py table "$folder"
echo "$((SECONDS - begin)) s in all"
if ((${#failed[@]})); then
  echo "FAILED: ${failed[*]}; see $log"
  exit 1
fi
