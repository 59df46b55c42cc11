#!/bin/bash
# Installs missing packages, builds, starts a cluster in one process, appends the files of this repository to a log, follows
# them back and compares. What it makes lies below build/.
set -euo pipefail
cd "$(dirname "$0")/.."
samples/install_packages.sh
cmake --preset release >/dev/null
cmake --build --preset release --target loglog
loglog=$PWD/build/release/bin/loglog

work=$(mktemp -d)
dev=""
finish() {
  if [ -n "$dev" ]; then
    kill "$dev" 2>/dev/null || true
    wait "$dev" || true
  fi
  rm -rf "$work"
}
trap finish EXIT

"$loglog" dev --data "$work/data" --listen 127.0.0.1:0 >"$work/ready" &
dev=$!
for _ in $(seq 300); do
  grep -q '^ready ' "$work/ready" && break
  kill -0 "$dev" || { echo "the cluster ended before it was ready" >&2; exit 1; }
  sleep 0.1
done
LOGLOG_CLUSTER=$(sed -n 's/^ready //p' "$work/ready")
[ -n "$LOGLOG_CLUSTER" ] || { echo "the cluster is not ready after 30 s" >&2; exit 1; }
export LOGLOG_CLUSTER
echo "a cluster of one sequencer and three storage nodes serves at $LOGLOG_CLUSTER"

files=()
while IFS= read -r -d '' file; do
  if [ -f "$file" ]; then files+=("$file"); fi
done < <(git ls-files -z 2>/dev/null || find . -path ./build -prune -o -path ./.git -prune -o -type f -print0)
[ ${#files[@]} -gt 0 ]
arguments=()
for file in "${files[@]}"; do arguments+=(--file "$file"); done
"$loglog" append quickstart --create "${arguments[@]}" >"$work/offsets"
echo "appended ${#files[@]} files, each as one entry, the last at offset $(tail -n 1 "$work/offsets")"

"$loglog" follow quickstart --from begin --count ${#files[@]} --format raw >"$work/followed"
cat "${files[@]}" >"$work/appended"
cmp "$work/appended" "$work/followed"
[ "$(wc -l <"$work/offsets")" = ${#files[@]} ]
echo "followed them back: $(wc -c <"$work/followed") bytes, all equal"
"$loglog" status
