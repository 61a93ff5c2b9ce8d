#!/usr/bin/env bash
# Builds every fuzz target of tests/fuzz with Clang 14 in build/fuzz and runs each for SECONDS:
#
#   scripts/fuzz.sh SECONDS [TARGET…]      targets by name, as chat_stream; all when none is named
#
# It starts from tests/fuzz/corpus/TARGET. What it finds on the way is kept in build/fuzz/corpus, so
# that a later run goes on from there; an input that fails is kept in build/fuzz/failures. Such an
# input is replayed by giving it to build/fuzz/bin/TARGET_fuzz, and belongs into the corpus with the
# mend. Ends in one line, and with 1 when a target failed.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo 'fuzz: usage: scripts/fuzz.sh SECONDS [TARGET…]' >&2; exit 2; }
shift || true
compiler=${CXX_FUZZ:-clang++-14}
command -v "$compiler" >/dev/null || { echo "fuzz: $compiler is not installed" >&2; exit 2; }

targets=("$@")
if [ ${#targets[@]} = 0 ]; then
  for source in tests/fuzz/*_fuzz.cpp; do
    name=$(basename "$source" _fuzz.cpp)
    targets+=("$name")
  done
fi

[ -f build/fuzz/build.ninja ] ||
  cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=Debug \
    -DSOMA_FUZZ=ON >/dev/null
cmake --build build/fuzz --target "${targets[@]/%/_fuzz}"

failed=() inputs=0
for target in "${targets[@]}"; do
  found=build/fuzz/corpus/$target seeds=tests/fuzz/corpus/$target log=build/fuzz/$target.log
  mkdir -p "$found" build/fuzz/failures
  echo "== $target: $seconds s"
  status=0
  folders=("$found")
  [ ! -d "$seeds" ] || folders+=("$seeds")
  "build/fuzz/bin/${target}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="build/fuzz/failures/$target-" "${folders[@]}" \
    >"$log" 2>&1 || status=$?
  runs=$(sed -nE 's/^stat::number_of_executed_units: *([0-9]+).*/\1/p' "$log")
  inputs=$((inputs + ${runs:-0}))
  echo "   ${runs:-0} inputs, $(find "$found" -type f | wc -l) kept"
  if [ $status != 0 ]; then
    failed+=("$target")
    grep -E 'ERROR|SUMMARY|Test unit written|runtime error' "$log" || tail -n 20 "$log"
    echo "   the whole log: $log"
  fi
done

if [ ${#failed[@]} -gt 0 ]; then
  echo "fuzz: FAILED: ${failed[*]}; the inputs are in build/fuzz/failures"
  exit 1
fi
echo "fuzz: ${targets[*]}: $seconds s each, $inputs inputs, none failed"
