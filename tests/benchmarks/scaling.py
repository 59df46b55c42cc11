#!/usr/bin/env python3
"""Benchmark: how cost grows with producers, appends in flight, entry size, logs, followers, and the
log's length. Writes JSON, which plot.py draws.

    LOGLOG_BIN=build/release/bin tests/benchmarks/scaling.py OUT.json
        [--only producers,length] [--seconds 3] [--rounds 3] [--gb 10]

Three sequencers and three storage nodes run as processes on loopback, with a new cluster for each
figure (a single cluster for all of `length`). Each point is measured --rounds times, with rounds
outermost; plot.py draws median, least and most.
`length` fills a log to --gb GB on three replicas, so the temporary folder (TMPDIR) needs three
times as much; all data are removed at the end. OUT.json is written after every point."""

import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import Cluster  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
KIB, MIB = 1 << 10, 1 << 20
# Values of x, and the load at a value.
DIMENSIONS = {
    "clients": ([1, 4, 16, 64, 200, 1000], lambda x: ["append", "--clients", x, "--in-flight", max(256, x)]),
    "in_flight": ([1, 4, 16, 64, 256, 1024, 4096], lambda x: ["append", "--in-flight", x]),
    "size": ([16, 128, KIB, 8 * KIB, 64 * KIB, 512 * KIB, 4 * MIB, 16 * MIB - 1],
             lambda x: ["append", "--size", x, "--in-flight", min(256, max(2, 8 * MIB // x))]),
    "logs": ([1, 10, 100, 1000], lambda x: ["append", "--logs", x, "--in-flight", max(256, x)]),
    "followers": ([1, 4, 16, 64], lambda x: ["follow", "--followers", x, "--in-flight", 64]),
}


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mb(c, names):
    """The highest resident memory of any of the processes since its start."""
    status = [pathlib.Path(f"/proc/{c.running[n].pid}/status").read_text() for n in names]
    return max(int(re.search(r"VmHWM:\s+(\d+) kB", s)[1]) for s in status) / 1e3


def load(c, *bench, seconds):
    """Runs a `loglog bench`; returns its report and its cost to the servers."""
    before = sum(cpu_s(p.pid) for p in c.running.values())
    out = c.run("bench", *bench, "--seconds", seconds, "--json", timeout=900).stdout
    r = json.loads(out.splitlines()[-1])
    r["server_cpu_us"] = (sum(cpu_s(p.pid) for p in c.running.values()) - before) * 1e6 / max(1, r["entries"])
    r["client_cpu_us"] = r["client_cpu_s"] * 1e6 / max(1, r["entries"])
    r["storage_mb"], r["sequencer_mb"] = peak_mb(c, c.storage), peak_mb(c, c.sequencers)
    return r


def seconds_until(condition, limit=120):
    begin = time.monotonic()
    while not condition():
        if time.monotonic() > begin + limit:
            sys.exit(f"scaling.py: not there after {limit} s")
        time.sleep(0.002)
    return time.monotonic() - begin


def takes_connections(address):
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
        return True
    except OSError:
        return False


def log_of(c, name):
    return next(log for log in c.status()["logs"] if log["name"] == name)


def streams(c, name):
    return all(r["state"] == "streaming" for r in log_of(c, name)["replicas"])


def length(gb, seconds, record):
    """Fills a log step by step. At each step: throughput, memory, and the time of a storage node's
    restart."""
    steps = sorted({0, *(s for s in (0.1, 0.3, 1, 2, 3, 5, 7, 10, 20, 50, 100) if s < gb), gb})
    with Cluster() as c:
        c.create("long")
        for step in steps:
            while log_of(c, "long")["committed"] < step * 1e9:
                load(c, "append", "--log", "long", "--size", 64 * KIB, "--in-flight", 64, seconds=min(seconds, 2))
            r = load(c, "append", "--log", "long", seconds=seconds)
            r["gb"] = log_of(c, "long")["committed"] / 1e9
            node = list(c.storage)[0]
            seconds_until(lambda: streams(c, "long"))
            c.kill(node, 15)
            c.start(node)
            r["start_s"] = seconds_until(lambda: takes_connections(c.storage[node]))
            r["streams_s"] = r["start_s"] + seconds_until(lambda: streams(c, "long"))
            record(r["gb"], r)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("--only", default=",".join([*DIMENSIONS, "length"]))
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--gb", type=float, default=10)
    p.add_argument("--at", default="", help="only these values of x, as 1,64")
    o = p.parse_args()
    only = o.only.split(",")
    if unknown := set(only) - {*DIMENSIONS, "length"}:
        sys.exit(f"scaling.py: {', '.join(unknown)} is none of {', '.join([*DIMENSIONS, 'length'])}")
    free = shutil.disk_usage(tempfile.gettempdir()).free / 1e9
    if "length" in only and free < 3.3 * o.gb + 2:
        sys.exit(f"scaling.py: {tempfile.gettempdir()} has {free:.0f} GB free; --gb {o.gb:g} needs {3.3 * o.gb + 2:.0f}")
    results = json.loads(o.out.read_text()) if o.out.exists() else {}

    def record(dimension, x, r):
        results.setdefault(dimension, []).append({"x": x, **r})
        o.out.write_text(json.dumps(results, indent=1))
        print(f"{dimension} {x:g}: {r['entries_per_s']:,} entries/s, {r['mb_per_s']:,} MB/s, p50 {r['p50_us']} us, p99 {r['p99_us']} us, "
              f"server {r['server_cpu_us']:.1f} us an entry, storage {r['storage_mb']:.0f} MB, sequencer {r['sequencer_mb']:.0f} MB", flush=True)

    for dimension in only:
        results.pop(dimension, None)
    for _ in range(o.rounds):
        for dimension in [d for d in only if d != "length"]:
            values, bench = DIMENSIONS[dimension]
            for x in [v for v in values if not o.at or str(v) in o.at.split(",")]:
                with Cluster() as c:
                    c.create("bench")
                    load(c, *bench(x), "--log", "bench", seconds=0.2)  # creates all logs
                    record(dimension, x, load(c, *bench(x), "--log", "bench", seconds=o.seconds))
    if "length" in only:
        length(o.gb, o.seconds, lambda x, r: record("length", x, r))


main()
