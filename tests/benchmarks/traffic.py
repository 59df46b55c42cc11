#!/usr/bin/env python3
"""Benchmark: the leader's traffic, as bytes sent and received for each byte appended.

    LOGLOG_BIN=build/release/bin tests/benchmarks/traffic.py [--seconds 5] [--json FILE]

Three sequencers and three storage nodes run as processes on loopback under `loglog bench append`.
TCP counts the bytes of each connection (`ss -ti`); those of the leading process are summed at two
moments under load, together with the log's committed offset.
Payload bytes count as appended, acknowledged TCP payload bytes as traffic (without IP headers). All
of the leader's work is included, also heartbeats to the other sequencers and the two questions for
the status."""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import Cluster  # noqa: E402

FRAME = 44  # bytes of a frame around its payload
ROWS = [(1024, 256, 3.0), (1 << 20, 16, 0.05)]  # payload bytes, appends in flight, goal in percent


def counters(pid):
    """{connection: (bytes sent, bytes received)} of a process's TCP sockets."""
    lines = subprocess.run(["ss", "-tinpOH", "state", "connected"], check=True, capture_output=True, text=True).stdout.splitlines()
    found = {}
    for line in lines:
        if f"pid={pid}," not in line:
            continue
        sent, received = (re.search(rf"\bbytes_{k}:(\d+)", line) for k in ("acked", "received"))
        found[tuple(re.findall(r"\S+:\d+", line)[:2])] = (int(sent[1]) if sent else 0, int(received[1]) if received else 0)
    if not found:
        sys.exit(f"traffic.py: ss shows no connection of process {pid}")
    return found


def moment(c, leader):
    status = c.status()
    log = next(log for log in status["logs"] if log["name"] == "traffic")
    return counters(c.running[leader].pid), log["committed"], [s for s in status["sequencers"] if s["role"] == "leader"]


def measure(size, in_flight, seconds):
    with Cluster() as c:
        c.create("traffic")
        leader = c.leader()
        load = c.popen("bench", "append", "--log", "traffic", "--size", size, "--in-flight", in_flight, "--seconds", seconds + 2,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1)  # warms up
            before, from_offset, led = moment(c, leader)
            time.sleep(seconds)
            if load.poll() is not None:
                sys.exit("traffic.py: the load ended too early")
            after, to_offset, leads = moment(c, leader)
            if led != leads:
                sys.exit("traffic.py: the lead changed; run it again")
        finally:
            load.terminate()
            load.wait(timeout=60)
    appended = (to_offset - from_offset) * size / (size + FRAME)
    if appended <= 0:
        sys.exit("traffic.py: nothing was appended")
    sent, received = (sum(now[i] - before.get(k, (0, 0))[i] for k, now in after.items()) for i in (0, 1))
    return {"size": size, "in_flight": in_flight, "appended_mb": appended / 1e6, "sent": sent, "received": received,
            "percent_out": 100 * sent / appended, "percent_in": 100 * received / appended}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--json", type=pathlib.Path)
    o = p.parse_args()
    rows = []
    print("| entries | appended MB | leader received | leader sent | together | goal |")
    print("|---|---|---|---|---|---|")
    for size, in_flight, goal in ROWS:
        r = measure(size, in_flight, o.seconds)
        rows.append(r)
        print(f"| {size} B, {in_flight} in flight | {r['appended_mb']:,.0f} | {r['percent_in']:.3f} % | {r['percent_out']:.3f} % | "
              f"{r['percent_in'] + r['percent_out']:.3f} % | {goal} % |", flush=True)
    if o.json:
        o.json.write_text(json.dumps(rows, indent=1))


main()
