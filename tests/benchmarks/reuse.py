#!/usr/bin/env python3
"""Benchmark: the gain of writing the files of trimmed segments again (K6). A log with retention, on
nodes that keep such files and on nodes that do not.

    LOGLOG_BIN=build/release/bin tests/benchmarks/reuse.py [--rounds 3] [--seconds 3]
        [--retention 256MiB]

Two clusters of three sequencers and three storage nodes run as processes on loopback, one of them
with --spare-bytes 0, under `loglog bench append` in alternation."""

import argparse
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import Cluster  # noqa: E402

LOADS = [(128, 256), (1024, 256), (65536, 16), (1 << 20, 4)]  # payload bytes, appends in flight


def append(c, size, in_flight, seconds):
    done = c.run("bench", "append", "--log", "kept", "--size", size, "--in-flight", in_flight, "--seconds", seconds, "--json")
    report = json.loads(done.stdout.strip().splitlines()[-1])
    if report["errors"]:
        sys.exit(f"reuse.py: {report['errors']} appends failed")
    return report


def cell(reports, key):
    values = [r[key] for r in reports]
    return f"{statistics.median(values):,.0f} [{min(values):,.0f}–{max(values):,.0f}]"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--retention", default="256MiB")
    o = p.parse_args()
    print("| load | files | entries/s | MB/s | p50 µs | p99 µs | p99.9 µs |\n|---|---|---|---|---|---|---|")
    with Cluster() as again, Cluster(extra_storage=["--spare-bytes", "0"]) as anew:
        clusters = {"written again": again, "new": anew}
        for c in clusters.values():
            c.create("kept", "--retention-bytes", o.retention)
            append(c, 65536, 16, 2 * o.seconds)  # until segments are trimmed
        for size, in_flight in LOADS:
            reports = {name: [] for name in clusters}
            for _ in range(o.rounds):
                for name, c in clusters.items():
                    reports[name].append(append(c, size, in_flight, o.seconds))
            for name, r in reports.items():
                print(f"| {size} B, {in_flight} in flight | {name} | {cell(r, 'entries_per_s')} | {cell(r, 'mb_per_s')} | {cell(r, 'p50_us')} | "
                      f"{cell(r, 'p99_us')} | {cell(r, 'p999_us')} |", flush=True)


main()
