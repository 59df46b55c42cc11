#!/usr/bin/env python3
"""Benchmark: the cost of idle logs. A cluster with a single log in use is compared with the same
cluster holding thousands of logs that nobody uses.

    LOGLOG_BIN=build/release/bin tests/benchmarks/many_logs.py [--logs 10000] [--kills 5]

Three sequencers and three storage nodes run as processes on loopback. Prints a table: creation,
bytes on disk, memory and descriptors, appends to the log in use, their pause when the leader is
killed, the next leader's work, and a storage node's start."""

import argparse
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import BIN, Cluster, free_ports  # noqa: E402
from failover import Appender, percentile  # noqa: E402

LIMIT = 300  # seconds until an expected event must have happened
PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")


def process(c, name):
    """Returns (resident KiB, CPU seconds, open descriptors) of a node."""
    pid = c.running[name].pid
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(stat[21]) * PAGE // 1024, (int(stat[11]) + int(stat[12])) / TICKS, len(os.listdir(f"/proc/{pid}/fd"))


def disk(path):
    """The bytes that the files below `path` take."""
    return sum(p.lstat().st_blocks * 512 for p in path.rglob("*"))


def cpu(c):
    return sum(process(c, name)[1] for name in c.running)


def wait(condition, what):
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    sys.exit(f"many_logs.py: {what} within {LIMIT} s")


def leads(c):
    """The leader, from the logs of the processes, because the status would name every log. The
    highest term counts; a killed leader logs no farewell."""
    terms = [(int(t), name) for name in c.sequencers for t in re.findall(r"leads in term (\d+)", c.log_of(name))]
    name = max(terms)[1] if terms else None
    return name if name in c.running and c.log_of(name).rfind("leads in term") > c.log_of(name).rfind("leads no longer") else None


class Watched(Cluster):
    """A cluster whose sequencers report how many logs are open."""

    def __init__(self):
        super().__init__()
        self.pages = dict(zip(self.sequencers, (f"127.0.0.1:{port}" for port in free_ports(len(self.sequencers)))))

    def command(self, name):
        return [*super().command(name), *(["--http", self.pages[name]] if name in self.pages else [])]

    def open_logs(self):
        """The number that the leader reports, or 0 without a leader."""
        if (leader := leads(self)) is None:
            return 0
        with urllib.request.urlopen(f"http://{self.pages[leader]}/metrics", timeout=10) as page:
            return int(re.search(r"^loglog_sequencer_open_logs (\d+)", page.read().decode(), re.M)[1])


def recovered(c, logs):
    """Waits until all logs take appends again or are at rest."""
    wait(lambda: c.open_logs() == logs, f"not all of {logs} logs are open")


def latency(c):
    report = json.loads(c.run("bench", "append", "--log", "active", "--size", 1024, "--in-flight", 1, "--seconds", 3, "--json").stdout)
    return report["p50_us"], report["p99_us"]


def failovers(c, logs, kills):
    """Returns two lists: the milliseconds from each kill to the next acknowledgement in the log in
    use; and the seconds, with the CPU seconds of the surviving processes, until all logs are
    open."""
    ms, calm = [], []
    for _ in range(kills):
        leader = wait(lambda: leads(c), "nobody leads")
        appender = Appender(c, "active", 200)
        try:
            appender.acknowledged_after(time.monotonic_ns())
            c.kill(leader)
            killed, spent = time.monotonic_ns(), cpu(c)
            recovered(c, logs)
            calm.append(((time.monotonic_ns() - killed) / 1e9, cpu(c) - spent))
            ms.append((appender.acknowledged_after(killed) - killed) / 1e6)
        finally:
            appender.stop()
        c.start(leader)
        time.sleep(1)  # so that the process takes its place in the cluster
    return ms, calm


def restart(c, logs):
    """The seconds until a stopped storage node serves again, and until it takes part in every log.
    """
    c.kill("node1", 15)
    host, port = c.storage["node1"].split(":")
    begin = time.monotonic()
    c.start("node1")

    def serves():
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return True
        except OSError:
            return False

    wait(serves, "the node does not serve")
    served = time.monotonic() - begin
    wait(lambda: sum(r["state"] == "streaming" for log in c.status()["logs"] for r in log["replicas"]) == 3 * logs, "not all replicas take part")
    return served, time.monotonic() - begin


def measure(c, logs, kills):
    leader = wait(lambda: leads(c), "nobody leads")
    out = {"leader": process(c, leader), "node": process(c, "node1"), "disk": disk(c.data("node1")), "latency": latency(c)}
    out["failover"] = failovers(c, logs, kills)
    out["restart"] = restart(c, logs)
    return out


def row(what, before, after):
    print(f"| {what} | {before} | {after} |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--logs", type=int, default=10_000)
    p.add_argument("--kills", type=int, default=5)
    o = p.parse_args()
    with Watched() as c:
        c.create("active")
        one = measure(c, 1, o.kills)
        before, begun = disk(c.data("node1") / "logs"), cpu(c)
        created = subprocess.run([BIN / "loglog-create-logs", wait(lambda: c.sequencers.get(leads(c)), "nobody leads"), "tenant", str(o.logs)],
                                 check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        recovered(c, 1 + o.logs)
        spent = cpu(c) - begun
        grown = disk(c.data("node1") / "logs") - before
        many = measure(c, 1 + o.logs, o.kills)

    print(f"{created}; {spent:.1f} s of CPU time in all\n")
    print(f"| | 1 log | and {o.logs} idle ones |\n|---|---|---|")
    row("directory of a log on a node, KiB", "", f"{grown / o.logs / 1024:.1f}")
    row("storage node: resident memory, MiB", f"{one['node'][0] / 1024:.1f}",
        f"{many['node'][0] / 1024:.1f}, {(many['node'][0] - one['node'][0]) / o.logs:.2f} KiB a log")
    row("leader: resident memory, MiB", f"{one['leader'][0] / 1024:.1f}",
        f"{many['leader'][0] / 1024:.1f}, {(many['leader'][0] - one['leader'][0]) / o.logs:.2f} KiB a log")
    row("storage node: open descriptors", one["node"][2], many["node"][2])
    row("append to the log in use, 1 in flight: p50, p99 µs", *(" , ".join(f"{x:.0f}" for x in m["latency"]) for m in (one, many)))
    row("leader killed: ms to the next acknowledgement, p50 [least–most]",
        *(f"{percentile(m['failover'][0], 0.5):.0f} [{min(m['failover'][0]):.0f}–{max(m['failover'][0]):.0f}]" for m in (one, many)))
    row("… s until all logs are open, CPU s of the other servers until then",
        *(", ".join(f"{percentile([x[i] for x in m['failover'][1]], 0.5):.2f}" for i in (0, 1)) for m in (one, many)))
    row("storage node stopped and started: s until it serves, until it takes part in every log", *(", ".join(f"{x:.2f}" for x in m["restart"]) for m in (one, many)))


if __name__ == "__main__":
    main()
