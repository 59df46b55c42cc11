#!/usr/bin/env python3
"""Benchmark: how long appends stand still when the leader's process is killed.

    LOGLOG_BIN=build/release/bin tests/benchmarks/failover.py [--kills 50] [--storage-too]
        [--rate 1000] [--json FILE]

Three sequencers and three storage nodes run as processes on loopback, and a client appends at a
steady rate (tests/chaos/recorder.cpp). Each kill -9 hits the leading process. The measured time
goes from the kill to the first acknowledgement of an append that began after it.
Then the killed process is started again, and the next kill comes when the cluster is whole. With
--storage-too a storage node is killed at the same moment, each in turn. --explain shows the nodes'
logs of long failovers."""

import argparse
import calendar
import collections
import json
import math
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import BIN, Cluster  # noqa: E402

LIMIT = 30  # seconds until an expected event must have happened


class Appender:
    """A recorder's process and its history, read as it grows."""

    def __init__(self, cluster, log, rate):
        self.history = cluster.dir / "appender.jsonl"
        self.history.touch()
        self.file = open(self.history)
        self.begun, self.partial, self.unseen = {}, "", collections.deque()
        self.process = subprocess.Popen([str(c) for c in (
            BIN / "recorder", "--role", "producer", "--name", "bench", "--log", log, "--history", self.history, "--cluster",
            cluster.addresses(), "--rate", rate, "--in-flight", 65536, "--bytes-max", 1024, "--timeout-ms", 60_000)])

    def events(self):
        """The events that are new since the last call. Events behind a `return` in the loop wait
        for the next call."""
        whole, _, self.partial = (self.partial + self.file.read()).rpartition("\n")
        self.unseen.extend(whole.splitlines())
        while self.unseen:
            yield json.loads(self.unseen.popleft())

    def acknowledged_after(self, since_ns):
        """The time in nanoseconds at which the first append begun at or after `since_ns` was
        acknowledged."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            for e in self.events():
                if e["event"] == "begin":
                    self.begun[e["id"]] = e["time"]
                elif e["outcome"] != "committed":
                    sys.exit(f"failover.py: an append ended as {e}")
                elif self.begun.pop(e["id"]) >= since_ns:
                    return e["time"]
            time.sleep(0.002)
        sys.exit(f"failover.py: no append was acknowledged within {LIMIT} s")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=90)
        self.file.close()


def wait_whole(c):
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        answer = c.run("status", "--json", check=False)
        if answer.returncode == 0:
            status = json.loads(answer.stdout)
            roles = sorted(s["role"] for s in status["sequencers"])
            replicas = [r for log in status["logs"] for r in log["replicas"]]
            if roles == ["follower", "follower", "leader"] and replicas and all(r["state"] == "streaming" for r in replicas):
                return next(f"seq{s['id']}" for s in status["sequencers"] if s["role"] == "leader")
        time.sleep(0.05)
    sys.exit(f"failover.py: not whole after {LIMIT} s: {answer.stdout.decode()[-400:]}")


def said_since(c, wall):
    """[(milliseconds after that wall-clock time, line)] from the logs of all nodes."""
    lines = []
    for name in [*c.sequencers, *c.storage]:
        for line in c.log_of(name).splitlines()[-200:]:
            if m := re.match(r"(\S+)\.(\d{3})Z \S+ (.*)", line):
                ms = (calendar.timegm(time.strptime(m[1], "%Y-%m-%dT%H:%M:%S")) - wall) * 1000 + int(m[2])
                lines += [(ms, m[3])] if ms >= -1 else []
    return sorted(lines)


def percentile(values, q):
    """By nearest rank: of 50 values the 99th percentile is the largest."""
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kills", type=int, default=50)
    p.add_argument("--storage-too", action="store_true")
    p.add_argument("--rate", type=float, default=1000, help="appends a second")
    p.add_argument("--down", type=float, default=0, help="seconds until a killed process is started again")
    p.add_argument("--explain", type=float, default=300, help="milliseconds past which the nodes' logs since the kill are shown")
    p.add_argument("--json", type=pathlib.Path)
    o = p.parse_args()
    rows = []
    with Cluster() as c:
        c.create("bench")
        appender = Appender(c, "bench", o.rate)
        try:
            for i in range(o.kills):
                leader = wait_whole(c)
                victims = [leader] + ([list(c.storage)[i % len(c.storage)]] if o.storage_too else [])
                appender.acknowledged_after(time.monotonic_ns())  # the load runs
                wall, killed = time.time(), time.monotonic_ns()
                for name in victims:
                    c.running[name].kill()
                ack = appender.acknowledged_after(killed)
                said = said_since(c, wall)
                elected = next((ms for ms, line in said if "leads in term" in line), None)
                row = {"kill": i + 1, "killed": victims, "ms": (ack - killed) / 1e6, "elected_ms": elected}
                rows.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
                if row["ms"] > o.explain:
                    print("".join(f"  {ms:7.0f} ms  {line}\n" for ms, line in said), end="", file=sys.stderr)
                for name in victims:
                    c.kill(name)  # collects the exit code
                time.sleep(o.down)
                for name in victims:
                    c.start(name)
        finally:
            appender.stop()
    ms, elected = [r["ms"] for r in rows], [r["elected_ms"] for r in rows if r["elected_ms"] is not None]
    what = "leader and a storage node" if o.storage_too else "leader"
    print("| kill -9 of | kills | to the next acknowledgement, ms: p50 | p99 | least | most | of it until the next leads, p50 |")
    print("|---|---|---|---|---|---|---|")
    print(f"| {what} | {len(rows)} | {percentile(ms, 0.5):.0f} | {percentile(ms, 0.99):.0f} | {min(ms):.0f} | {max(ms):.0f} | "
          f"{percentile(elected, 0.5):.0f} |")
    if o.json:
        o.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
