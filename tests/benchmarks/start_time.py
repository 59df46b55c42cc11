#!/usr/bin/env python3
"""Benchmark: the time of a storage node from its start until it takes connections, with 10 and with
1000 closed segments, in alternation.

    LOGLOG_BIN=build/release/bin tests/benchmarks/start_time.py [ROUNDS]
"""

import pathlib
import shutil
import socket
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import Cluster  # noqa: E402

SEGMENT = 65_536


def fill(c, log, segments):
    """Appends until so many segments are closed: a run larger than a segment fills a segment by
    itself."""
    lines = b"".join(b"x" * 1024 + b"\n" for _ in range(min(4000, 20 * segments)))
    while len(c.segments("node1")) <= segments:
        c.run("append", log, input=lines, timeout=300)
    return len(c.segments("node1")) - 1


def start_ms(c):
    host, port = c.storage["node1"].split(":")
    begin = time.monotonic()
    c.start("node1")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return (time.monotonic() - begin) * 1000
        except OSError:
            time.sleep(0.0002)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with Cluster(sequencers=1, storage=1) as c:
        c.create("log", "--segment-size", SEGMENT)
        closed, times = {}, {}
        for name, segments in (("small", 10), ("large", 1000)):
            closed[name] = fill(c, "log", segments)
            c.kill("node1", 15)
            shutil.copytree(c.data("node1"), c.dir / name)
            c.start("node1")
        c.kill("node1", 15)
        c.kill("seq1", 15)
        shutil.rmtree(c.data("node1"))
        for _ in range(rounds):
            for name in ("small", "large"):
                (c.dir / name).rename(c.data("node1"))
                times.setdefault(name, []).append(start_ms(c))
                c.kill("node1", 15)
                c.data("node1").rename(c.dir / name)
        for name in ("small", "large"):
            t = times[name]
            print(f"{closed[name]:5} closed segments: median {statistics.median(t):.2f} ms, min {min(t):.2f}, max {max(t):.2f}")
        print(f"ratio of medians {statistics.median(times['large']) / statistics.median(times['small']):.2f}")


main()
