#!/bin/bash
# Installs what is missing, builds, and runs every test; what it makes lies below build/. Under 40 minutes on 2 cores.
#
#   tests/run.sh               everything
#   tests/run.sh --quick       what finds most mistakes, in 5 to 6 minutes: text checks, unit tests and simulator seeds, not optimised
#   tests/run.sh unit simul    only the steps whose names contain one of the words (builds are needed first: tests/run.sh build unit)
#   LOGLOG_JOBS=N, LOGLOG_SEEDS=N, LOGLOG_FRESH=N, LOGLOG_FUZZ_SECONDS=N change how many processes, simulator seeds, fresh
#   seeds and seconds per fuzzer
#
# The closing line counts doctest cases one by one and every other step as one.
set -u
cd "$(dirname "$0")/.." || exit 2

jobs=${LOGLOG_JOBS:-$(nproc)}
seeds=${LOGLOG_SEEDS:-260}
fresh=${LOGLOG_FRESH:-2600} # seeds that no commit before had
fuzz_seconds=${LOGLOG_FUZZ_SECONDS:-20}
quick=no
if [ "${1:-}" = --quick ]; then
  quick=yes
  shift
fi
wanted=("$@")
logs=$PWD/build/tests/logs
rm -rf build/tests
mkdir -p "$logs" build/tests/tmp
export TMPDIR=$PWD/build/tests/tmp PYTHONDONTWRITEBYTECODE=1
export CCACHE_DIR=${CCACHE_DIR:-$PWD/build/ccache}
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}

passed=0
failed=0
begun=$SECONDS

is_wanted() { # name
  [ ${#wanted[@]} = 0 ] && return 0
  local word
  for word in "${wanted[@]}"; do
    [[ $1 == *"$word"* ]] && return 0
  done
  return 1
}

# doctest's own summary, "[doctest] test cases: 12 | 11 passed | 1 failed | 0 skipped": prints "passed failed".
doctest_counts() {
  sed -nE 's/^\[doctest\] test cases: *[0-9]+ *\| *([0-9]+) passed *\| *([0-9]+) failed.*/\1 \2/p' "$1" | tail -n 1
}

# Runs one step and keeps its output, exit code and duration for judge().
run_step() { # name limit-in-seconds command…
  local log=$logs/${1//[^A-Za-z0-9._-]/_} limit=$2 start=$SECONDS status=0
  shift 2
  timeout -k 10 "$limit" "$@" >"$log.log" 2>&1 </dev/null || status=$?
  echo "$status $((SECONDS - start)) $limit" >"$log.result"
}

# Counts and prints what run_step() kept.
judge() { # name
  local log=$logs/${1//[^A-Za-z0-9._-]/_} status seconds limit counts
  read -r status seconds limit <"$log.result"
  counts=$(doctest_counts "$log.log")
  if [ "$status" = 0 ]; then
    passed=$((passed + $(cut -d' ' -f1 <<<"${counts:-1}")))
    echo "ok      $1 ($seconds s)${counts:+: ${counts% *} cases}"
    return 0
  fi
  local ok=0 bad=1
  if [ -n "$counts" ]; then
    read -r ok bad <<<"$counts"
    if [ "$bad" = 0 ]; then bad=1; fi # every case passed and the process still failed: a leak, say
  fi
  passed=$((passed + ok))
  failed=$((failed + bad))
  echo "FAILED  $1 ($seconds s): exit $status$([ "$status" = 124 ] && echo ", over its limit of $limit s")"
  # What was found comes first and last: whoever prints only one end of this sees it.
  { grep -A 1 '^VIOLATION' "$log.log" | head -n 6; tail -n 30 "$log.log"; grep -A 1 '^VIOLATION' "$log.log" | tail -n 6; } | sed 's/^/  | /'
  return 1
}

step() { # name limit-in-seconds command…
  is_wanted "$1" || return 0
  run_step "$@"
  judge "$1"
}

# Steps that may run beside each other: beside() begins one as soon as fewer than $jobs of them run, judge_all() waits for all.
running=()
beside() { # name limit-in-seconds command…
  is_wanted "$1" || return 0
  if [ "$(jobs -pr | wc -l)" -ge "$jobs" ]; then wait -n; fi
  running+=("$1")
  run_step "$@" &
}
judge_all() {
  wait
  local name
  for name in "${running[@]}"; do judge "$name"; done
  running=()
}

# ---- Steps that are more than one command
build() { # preset target
  cmake --preset "$1" && cmake --build --preset "$1" --target "$2" -j "$jobs" -- -k 0
}
check_format() {
  find proto-spec sdk sequencer storage-node samples tests \( -name '*.h' -o -name '*.cpp' \) -print0 |
    xargs -0 -n 8 -P "$jobs" clang-format-19 --dry-run -Werror
}
check_tidy() {
  # The unity files of the product's layers: each header is read once for many sources.
  run-clang-tidy-19 -quiet -j "$jobs" -p build/release "^$PWD/build/release/CMakeFiles/loglog_[a-z_]*\.dir/Unity/.*\.cxx\$" >"$logs/tidy-full.log" 2>&1
  local status=$?
  grep -E '(error|warning): ' "$logs/tidy-full.log" | grep -v '^/usr/' | sort -u
  grep -q 'clang-tidy.*storage_core.dir/Unity' "$logs/tidy-full.log" || { echo "no file was checked"; return 1; }
  return $status
}
kept_seeds() {
  local plan seed why run letters options ran=0
  while read -r plan seed why; do
    [[ $plan == "#"* || -z $plan ]] && continue
    echo "$plan $seed: $why"
    # Of the form SEED[xLOAD][e][o][r]: e, clients commit eagerly; o, and observe commits; r, logs may rest.
    letters=${seed##*[0-9]}
    run=${seed%"$letters"}
    options=()
    [[ $run == *x* ]] && options+=(--load "${run#*x}")
    [[ $letters == *e* ]] && options+=(--eager)
    [[ $letters == *o* ]] && options+=(--observed)
    [[ $letters == *r* ]] && options+=(--rest)
    build/release/bin/loglog-simulate --plan "tests/simulator/plans/$plan.txt" --seed "${run%x*}" "${options[@]}" || return 1
    ran=$((ran + 1))
  done <tests/simulator/kept_seeds.txt
  [ "$ran" -gt 0 ]
}
fuzz() { # name
  mkdir -p "build/tests/fuzz/$1"
  "build/fuzz/bin/$1" -max_total_time="$fuzz_seconds" -len_control=0 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="build/tests/fuzz/$1-" "build/tests/fuzz/$1"
}
export -f build check_format check_tidy fuzz kept_seeds
export jobs logs fuzz_seconds

closing_line() {
  echo "took $((SECONDS - begun)) s; the full output of every step is in build/tests/logs"
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

text_checks() {
  step "format" 120 bash -c check_format
  step "include arrows: self-test" 60 tests/architecture/include_arrows.py --self-test
  step "include arrows" 60 tests/architecture/include_arrows.py
  step "top of tree" 60 tests/architecture/top_of_tree.py
  step "rules place: self-test" 60 tests/architecture/rules_place.py --self-test
  step "rules place" 60 tests/architecture/rules_place.py
  step "public errors: self-test" 60 tests/architecture/public_errors.py --self-test
  step "public errors" 60 tests/architecture/public_errors.py
  step "class size" 60 tests/architecture/class_size.py
  step "words" 60 tests/architecture/words.py
  step "links" 60 tests/architecture/links.py
  step "doc examples" 120 tests/architecture/doc_examples.py
  step "reference" 60 doxygen sdk/docs/Doxyfile
}

# ---- Packages and builds
step "packages" 600 samples/install_packages.sh tests
if [ $quick = yes ]; then
  step "build quick" 900 bash -c 'build quick loglog-unit-tests && build quick loglog-simulate'
  text_checks
  step "unit tests" 300 build/quick/bin/loglog-unit-tests
  step "simulator, 65 seeds" 300 build/quick/bin/loglog-simulate --plans tests/simulator/plans --seeds 65 --eager --rest
  closing_line
  exit
fi
step "build release" 900 bash -c 'build release programs'
step "build asan" 1200 bash -c 'build asan sanitized'
step "build fuzz" 600 bash -c 'build fuzz fuzzers'

# ---- The text itself
text_checks
step "core symbols" 120 tests/architecture/core_symbols.py build/release
step "no mutants" 120 tests/architecture/no_mutants.sh build/release
step "headers alone" 600 tests/architecture/headers_alone.py
step "tidy" 900 bash -c check_tidy

# ---- What it does. A binary that is missing fails its step.
step "unit tests" 600 build/asan/bin/loglog-unit-tests
step "simulator, $seeds seeds" 600 build/release/bin/loglog-simulate --plans tests/simulator/plans --seeds "$seeds"
# As the product's defaults have it.
step "simulator, eager, logs at rest, $((seeds / 2)) seeds" 300 build/release/bin/loglog-simulate --plans tests/simulator/plans --seeds $((seeds / 2)) --eager --rest
step "simulator, eager and observed, $((seeds / 2)) seeds" 300 build/release/bin/loglog-simulate --plans tests/simulator/plans --first-seed 10001 --seeds $((seeds / 2)) --eager --observed
step "simulator, kept seeds" 120 bash -c kept_seeds
# They follow from the commit: new ones with each change, and the same for everybody who runs this one.
commit=$(git rev-parse HEAD 2>/dev/null || echo 0)
[ "$fresh" = 0 ] || step "simulator, $fresh fresh seeds" 900 build/release/bin/loglog-simulate --plans tests/simulator/plans --first-seed $((16#${commit:0:8} << 16)) --seeds "$fresh" --eager --rest
step "simulator, controls" 240 build/release/bin/loglog-simulate --controls
step "protocol model" 240 build/release/bin/loglog-model --all
step "mutation score, kept seeds" 120 build/release/bin/loglog-mutation-score --quick
step "benchmarks: every part once" 60 build/release/bin/loglog-micro --repetitions 1 --ms 1 --dir "$TMPDIR"
for source in tests/fuzz/fuzz_*.cpp; do
  [ -e "$source" ] || continue
  name=$(basename "$source" .cpp)
  step "fuzz ${name#fuzz_}" $((fuzz_seconds + 60)) bash -c "fuzz fuzz-${name#fuzz_}"
done
step "installed package" 300 tests/architecture/installed_package.sh build/release
step "debian package" 300 tests/architecture/debian_package.sh build/release
step "quickstart" 300 samples/quickstart.sh
export LOGLOG_BIN=$PWD/build/release/bin
step "chaos checkers: self-test" 60 tests/chaos/checkers.py --self-test
step "chaos injectors: positive controls" 60 tests/chaos/controls.py
step "chaos finds lying disks" 120 tests/chaos/run.py --lying-disks
step "chaos, 60 s" 240 tests/chaos/run.py --seconds 60
step "catching up over links with a rate" 240 tests/chaos/catch_up.py
step "soak: all bounds at once, 36 s" 150 tests/chaos/soak.py
export LOGLOG_BIN=$PWD/build/asan/bin
# Each has a folder, ports and processes of its own.
for test in tests/integration/*; do
  case $test in
    *.cpp) beside "integration $(basename "$test" .cpp)" 300 "$LOGLOG_BIN/$(basename "$test" .cpp)" ;;
    *.sh | *.py) [ -x "$test" ] && beside "integration $(basename "$test")" 300 "$test" ;;
  esac
done
judge_all

closing_line
