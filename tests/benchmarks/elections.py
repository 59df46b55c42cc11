#!/usr/bin/env python3
"""Benchmark: does load alone make sequencers vote? Full load for an hour, and the leader and its
term before and after.

    LOGLOG_BIN=build/release/bin tests/benchmarks/elections.py [--seconds 3600] [--size 1024]
        [--in-flight 256]

Three sequencers and three storage nodes run as processes on loopback under `loglog bench append`,
with default timeouts. The log is trimmed a quarter of a GB behind its end, so that an hour fits any
disk. Exits 1 if the term changed."""

import argparse
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import Cluster  # noqa: E402

KEPT = 256 << 20  # bytes that a trim keeps


def led_by(status):
    return [(s["id"], s["term"]) for s in status["sequencers"] if s["role"] == "leader"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=float, default=3600)
    p.add_argument("--size", type=int, default=1024)
    p.add_argument("--in-flight", type=int, default=256)
    o = p.parse_args()
    with Cluster() as c:
        c.create("load")
        c.leader()
        first = led_by(c.status())
        begun = time.monotonic()
        load = c.popen("bench", "append", "--log", "load", "--size", o.size, "--in-flight", o.in_flight, "--seconds", o.seconds,
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ends, changes, now = [0], 0, first
        try:
            while load.poll() is None:
                time.sleep(1)
                status = c.status()
                changes += led_by(status) not in ([], now)
                now = led_by(status) or now
                ends.append(next(log for log in status["logs"] if log["name"] == "load")["committed"])
                while len(ends) > 1 and ends[1] < ends[-1] - KEPT:
                    ends.pop(0)
                if ends[0] > 0:
                    c.run("logs", "trim", "load", ends[0])
        finally:
            load.terminate()
            report = load.communicate(timeout=60)[0]
        print(report.strip().splitlines()[-1] if report.strip() else "the load printed nothing")
        print(f"{time.monotonic() - begun:.0f} s: led by {first} at first, by {now} at last (sequencer, term); {changes} changes seen")
        return 1 if now != first or changes or load.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
