#!/bin/bash
# Line coverage of the three core/ folders by the simulator alone: builds with gcov below build/coverage, runs every plan, prints
# a line for each file and one for each folder.
#
#   tests/simulator/coverage.sh [SEEDS]      default 260 seeds over all plans
set -eu
cd "$(dirname "$0")/../.."
seeds=${1:-260}
build=$PWD/build/coverage
export CCACHE_DIR=${CCACHE_DIR:-$PWD/build/ccache}
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="-O0 -g1 --coverage" -DCMAKE_UNITY_BUILD=OFF >/dev/null
cmake --build "$build" --target loglog-simulate >"$build/build.log" 2>&1 || { tail -n 40 "$build/build.log"; exit 1; }
find "$build" -name '*.gcda' -delete
"$build/bin/loglog-simulate" --plans tests/simulator/plans --seeds "$seeds" >"$build/run.log" || { tail -n 20 "$build/run.log"; exit 1; }
rm -rf "$build/gcov"
mkdir -p "$build/gcov"
find "$build" -name '*.gcda' -path '*core*' -print0 | (cd "$build/gcov" && xargs -0 -n 1 gcov --json-format --hash-filenames >gcov.log 2>&1)
python3 - "$build/gcov" "$PWD" <<'PY'
import collections, glob, gzip, json, sys

folder, root = sys.argv[1], sys.argv[2] + "/"
lines = collections.defaultdict(lambda: collections.defaultdict(int))  # file -> line -> times
for name in glob.glob(folder + "/*.gcov.json.gz"):
    for f in json.load(gzip.open(name))["files"]:
        path = f["file"].removeprefix(root)
        if not path.startswith(("sdk/core/", "sequencer/core/", "storage-node/core/")):
            continue
        for l in f["lines"]:
            lines[path][l["line_number"]] += l["count"]
if not lines:
    sys.exit("no coverage was recorded")
whole = collections.defaultdict(lambda: [0, 0])
for path in sorted(lines):
    hit, n = sum(1 for c in lines[path].values() if c), len(lines[path])
    core = path[: path.index("/core/") + 5]
    for key in (core, "all three"):
        whole[key][0] += hit
        whole[key][1] += n
    print(f"{100 * hit / n:6.1f} %  {hit:5} of {n:5}  {path}")
for key, (hit, n) in sorted(whole.items(), key=lambda w: w[0] == "all three"):
    print(f"{100 * hit / n:6.1f} %  {hit:5} of {n:5}  {key}")
PY
