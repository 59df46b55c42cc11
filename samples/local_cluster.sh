#!/bin/bash
# Three sequencers and three storage nodes as processes on loopback.
#   samples/local_cluster.sh start          starts all six, waits until they serve and prints the address to use, for eval
#   samples/local_cluster.sh stop           stops all, in order
#   samples/local_cluster.sh kill NAME      kill -9: sequencer-1 … sequencer-3, storage-1 … storage-3
#   samples/local_cluster.sh start NAME     starts one again
#   samples/local_cluster.sh restart [NAME] stops one in order and starts it again with the program that LOGLOG_BIN has now; without a
#                                           name all six, one at a time, each when the one before is whole again: so are nodes upgraded
#   samples/local_cluster.sh status         loglog status, and which processes run
#   samples/local_cluster.sh destroy        stops all and removes their data
# It needs the program loglog alone, which has the servers as its commands. LOGLOG_BIN (default build/release/bin), LOGLOG_DIR
# (default build/local-cluster: data, logs, process ids), LOGLOG_LOG_BYTES (default 16 MiB, of which a node's logs take twice as
# much at most), LOGLOG_PORT (default
# 7070: sequencers on it and the two after it, storage nodes on the next three; over HTTP, in the same order, on the six after those).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${LOGLOG_BIN:-$root/build/release/bin}
dir=${LOGLOG_DIR:-$root/build/local-cluster}
port=${LOGLOG_PORT:-7070}
names="storage-1 storage-2 storage-3 sequencer-1 sequencer-2 sequencer-3"
sequencers="1=127.0.0.1:$port,2=127.0.0.1:$((port + 1)),3=127.0.0.1:$((port + 2))"
storage="1=127.0.0.1:$((port + 3)),2=127.0.0.1:$((port + 4)),3=127.0.0.1:$((port + 5))"
cluster="127.0.0.1:$port,127.0.0.1:$((port + 1)),127.0.0.1:$((port + 2))"

# A node's output goes to NAME.log. Above so many bytes the file becomes NAME.log.1, so that a node has two of them at most.
log_bytes_max=${LOGLOG_LOG_BYTES:-16777216}

known() {
  case " $names " in *" $1 "*) ;; *) echo "local_cluster.sh: '$1' is no node; they are: $names" >&2; exit 2 ;; esac
}
# The process id, where that process is still ours.
running() { # name
  local pid
  pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 1
  tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q -- "--data $dir/$1 " || return 1
  echo "$pid"
}
start() { # name
  running "$1" >/dev/null && return 0
  local n=${1##*-}
  mkdir -p "$dir/$1"
  case $1 in
    storage-*) set -- "$1" storage --id "$n" --cluster-name local --listen "127.0.0.1:$((port + 2 + n))" --http "127.0.0.1:$((port + 8 + n))" ;;
    *) set -- "$1" sequencer --id "$n" --cluster-name local --listen "127.0.0.1:$((port + n - 1))" --http "127.0.0.1:$((port + 5 + n))" \
      --sequencers "$sequencers" --storage "$storage" ;;
  esac
  local name=$1 role=$2
  shift 2
  local out
  exec {out}> >(keep_log "$dir/$name.log")
  echo $! >"$dir/$name.keeper"
  nohup "$bin/loglog" "$role" --data "$dir/$name" "$@" </dev/null >&"$out" 2>&1 {out}>&- &
  echo $! >"$dir/$name.pid"
  exec {out}>&-
}
# Writes what the node says to the file, and begins it anew above log_bytes_max. It ends when the node has ended and all is written.
keep_log() { # file
  trap '' HUP INT TERM
  exec >/dev/null 2>&1 # whoever waits for the output of this script does not wait for this
  local line size
  size=$(stat -c %s "$1" 2>/dev/null || echo 0)
  while IFS= read -r line || [ -n "$line" ]; do
    if [ "$size" -gt "$log_bytes_max" ]; then
      mv -f "$1" "$1.1"
      size=0
    fi
    printf '%s\n' "$line" >>"$1" || :
    size=$((size + ${#line} + 1))
  done
}
stop() { # name
  local pid
  pid=$(running "$1") || return 0
  kill "$pid"
  for _ in $(seq 100); do
    running "$1" >/dev/null || return 0
    sleep 0.1
  done
  echo "local_cluster.sh: $1 (process $pid) does not stop; killing it" >&2
  kill -9 "$pid"
}
# Fails where a process has ended: there is nothing to wait for then.
all_run() {
  local name
  for name in $names; do
    running "$name" >/dev/null && continue
    timeout 5 tail --pid="$(cat "$dir/$name.keeper")" -f /dev/null || :  # its last lines
    echo "local_cluster.sh: $name has ended; the end of $dir/$name.log:" >&2
    tail -n 3 "$dir/$name.log" >&2
    return 1
  done
}
wait_until_served() {
  local end=$((SECONDS + 30))
  while [ "$SECONDS" -lt "$end" ]; do
    all_run || return 1
    if [ "$("$bin/loglog" status --json --timeout 2 --cluster "$cluster" 2>/dev/null | grep -o '"state": "up"' | wc -l)" = 3 ]; then return 0; fi
    sleep 0.2
  done
  echo "local_cluster.sh: not ready after 30 s; see $dir/*.log" >&2
  return 1
}

wait_until_healthy() { # after what
  local end=$((SECONDS + 30))
  while [ "$SECONDS" -lt "$end" ]; do
    if "$bin/loglog" status --timeout 2 --cluster "$cluster" 2>/dev/null | head -n 1 | grep -q ' healthy: '; then return 0; fi
    sleep 0.1
  done
  echo "local_cluster.sh: not healthy 30 s after $1; see loglog status and $dir/*.log" >&2
  return 1
}
restart() { # name
  stop "$1"
  start "$1"
  wait_until_healthy "$1 was started again"
  echo "$1 restarted"
}

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
case ${1:-} in
  start)
    if [ -n "${2:-}" ]; then
      known "$2"
      start "$2"
    else
      # What goes to stdout is for eval, which has to fail as this does.
      [ -x "$bin/loglog" ] || { echo "local_cluster.sh: there is no $bin/loglog; samples/quickstart.sh builds it" >&2; echo false; exit 1; }
      for name in $names; do start "$name"; done
      wait_until_served || { echo false; exit 1; }
      echo "export LOGLOG_CLUSTER=$cluster"
      echo "status page: http://127.0.0.1:$((port + 6))/" >&2
    fi
    ;;
  stop) for name in sequencer-1 sequencer-2 sequencer-3 storage-1 storage-2 storage-3; do stop "$name"; done ;;
  kill)
    known "${2:-}"
    pid=$(running "$2") || { echo "local_cluster.sh: $2 does not run" >&2; exit 1; }
    kill -9 "$pid"
    ;;
  restart)
    if [ -n "${2:-}" ]; then
      known "$2"
      restart "$2"
    else
      # Storage nodes, followers, then the leader, which hands over to one that is new already.
      leader=$("$bin/loglog" status --cluster "$cluster" | awk '$1 == "sequencer" && $4 == "leader" {print $1 "-" $2}')
      [ -n "$leader" ] || { echo "local_cluster.sh: no sequencer leads; see loglog status" >&2; exit 1; }
      for name in $names; do [ "$name" = "$leader" ] || restart "$name"; done
      restart "$leader"
    fi
    ;;
  status)
    for name in $names; do
      if pid=$(running "$name"); then echo "$name: process $pid, $(awk '/VmRSS/ {print $2, $3}' "/proc/$pid/status") resident"; else echo "$name: not running"; fi
    done
    "$bin/loglog" status --cluster "$cluster"
    ;;
  destroy)
    "$0" stop
    rm -rf "$dir"
    ;;
  *)
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
    ;;
esac
