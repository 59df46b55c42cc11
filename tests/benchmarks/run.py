#!/usr/bin/env python3
"""Measures a local cluster of 3 sequencers and 3 storage nodes as processes, and peers beside it, in alternation.

    tests/benchmarks/run.py [--rounds 3] [--seconds 5] [--only append-1k-256,…] [--peers DIR --peer-configs etcd,redis-w1] [--json FILE]

DIR holds a runner of peer clusters (run.py OUT.jsonl CONFIG … as JSON lines); without it only this project is measured. Each round
runs every row once on a cluster of its own, then each peer; the table shows the median and, in brackets, the least and the most.
Server and client CPU are seconds per 100 000 entries. Machines are noisy: compare figures of one run only.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
NODES = [f"{kind}-{i}" for kind in ("storage", "sequencer") for i in (1, 2, 3)]

ROWS = {
    "append-1k-256": ["append", "--size", "1024", "--in-flight", "256"],
    "append-128-256": ["append", "--size", "128", "--in-flight", "256"],
    "append-64k-16": ["append", "--size", "65536", "--in-flight", "16"],
    "append-1k-1": ["append", "--size", "1024", "--in-flight", "1"],
    "follow-1k-1": ["follow", "--size", "1024", "--in-flight", "1"],
    "read-1k": ["read", "--size", "1024"],
}
PEER_ROWS = {"append-1k-256": (1024, 256), "append-128-256": (128, 256), "append-64k-16": (65536, 16), "append-1k-1": (1024, 1)}


class LocalCluster:
    """samples/local_cluster.sh in a folder of its own."""

    def __init__(self, binaries, port):
        self.dir = tempfile.TemporaryDirectory(prefix="loglog-bench-")
        self.env = dict(os.environ, LOGLOG_BIN=str(binaries), LOGLOG_DIR=self.dir.name, LOGLOG_PORT=str(port))
        self.addresses = ",".join(f"127.0.0.1:{port + i}" for i in range(3))

    def script(self, *args):
        subprocess.run([ROOT / "samples/local_cluster.sh", *args], env=self.env, check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        self.script("start")
        return self

    def __exit__(self, *_):
        self.script("destroy")
        self.dir.cleanup()

    def pids(self):
        return {n: int((pathlib.Path(self.dir.name) / f"{n}.pid").read_text()) for n in NODES}

    def cpu_s(self):
        total = 0
        for pid in self.pids().values():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def rss_mb(self, kind):
        pages = [int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for n, pid in self.pids().items() if n.startswith(kind)]
        return max(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(binaries, port, bench, seconds):
    with LocalCluster(binaries, port) as c:
        before = c.cpu_s()
        out = subprocess.run([binaries / "loglog", "bench", *bench, "--seconds", str(seconds), "--json", "--cluster", c.addresses],
                             check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds * 10 + 60).stdout
        r = json.loads(out.splitlines()[-1])
        per_100k = 100_000 / max(1, r["entries"])
        r["server_cpu"] = (c.cpu_s() - before) * per_100k
        r["client_cpu"] = r["client_cpu_s"] * per_100k
        r["storage_rss_mb"] = c.rss_mb("storage")
        r["sequencer_rss_mb"] = c.rss_mb("sequencer")
        return r


def peer(directory, config, row, seconds):
    size, in_flight = PEER_ROWS[row]
    with tempfile.TemporaryDirectory(prefix="loglog-bench-") as d:
        out = pathlib.Path(d) / "rows.jsonl"
        subprocess.run([sys.executable, str(directory / "run.py"), str(out), config, "--parts", "append", "--sizes", str(size), "--concs",
                        str(in_flight), "--secs", str(seconds), "--runs", "1"], check=True, stdout=subprocess.DEVNULL, timeout=600)
        return json.loads(out.read_text().splitlines()[-1])


def spread(values, digits=0):
    return f"{statistics.median(values):,.{digits}f} [{min(values):,.{digits}f}–{max(values):,.{digits}f}]"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--only", default=",".join(ROWS))
    p.add_argument("--port", type=int, default=27070)
    p.add_argument("--peers", type=pathlib.Path)
    p.add_argument("--peer-configs", default="etcd,redis-w1")
    p.add_argument("--json", type=pathlib.Path)
    o = p.parse_args()
    rows = [r for r in ROWS if r in o.only.split(",")]
    ours = {r: [] for r in rows}
    theirs = {}
    for round_number in range(o.rounds):
        for row in rows:
            print(f"round {round_number + 1} of {o.rounds}: {row}", file=sys.stderr)
            ours[row].append(measure(o.bin, o.port, ROWS[row], o.seconds))
            if o.peers is None or row not in PEER_ROWS:
                continue
            for config in o.peer_configs.split(","):
                theirs.setdefault((row, config), []).append(peer(o.peers, config, row, int(o.seconds)))
    print("| row | entries/s | MB/s | p50 µs | p99 µs | server CPU s/100k | client CPU s/100k | storage MB | sequencer MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row, runs in ours.items():
        column = {k: [r[k] for r in runs] for k in runs[0]}
        print(f"| {row} | {spread(column['entries_per_s'])} | {spread(column['mb_per_s'])} | {spread(column['p50_us'])} | "
              f"{spread(column['p99_us'])} | {spread(column['server_cpu'], 2)} | {spread(column['client_cpu'], 2)} | "
              f"{max(column['storage_rss_mb']):.0f} | {max(column['sequencer_rss_mb']):.0f} |")
    for (row, config), runs in theirs.items():
        rate = [r["rate"] for r in runs]
        ratio = statistics.median([r["entries_per_s"] for r in ours[row]]) / statistics.median(rate)
        print(f"| {row}, {config} | {spread(rate)} | | {spread([r['ack_p50_us'] for r in runs])} | {spread([r['ack_p99_us'] for r in runs])} | {spread([r['srv_cpu_per_100k'] for r in runs], 2)} | | | | "
              f"ratio {ratio:.1f}")
    if o.json:
        o.json.write_text(json.dumps({"loglog": ours, "peers": {f"{r} {c}": v for (r, c), v in theirs.items()}}, indent=1))


main()
