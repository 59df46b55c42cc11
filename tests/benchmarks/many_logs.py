#!/usr/bin/env python3
"""What idle logs cost: a cluster with one log in use, and the same with thousands of others that nobody uses.

    LOGLOG_BIN=build/release/bin tests/benchmarks/many_logs.py [--logs 10000] [--kills 5]

Three sequencers and three storage nodes as processes on loopback. Prints a table: creation, bytes on disk, memory and descriptors, appends
to the log in use, how long they stand still when the leader is killed, what the next leader then does, and a storage node's start.
"""

import argparse
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import BIN, Cluster  # noqa: E402
from failover import Appender, percentile  # noqa: E402

LIMIT = 300  # seconds until something that must happen has happened
PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")


def process(c, name):
    """(resident KiB, CPU seconds, open descriptors)"""
    pid = c.running[name].pid
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(stat[21]) * PAGE // 1024, (int(stat[11]) + int(stat[12])) / TICKS, len(os.listdir(f"/proc/{pid}/fd"))


def disk(path):
    """Bytes that the files below take."""
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
    """Who leads, from the logs of the processes: status names every log."""
    said = [(c.log_of(name).rfind("leads in term"), c.log_of(name).rfind("leads no longer"), name) for name in c.sequencers if name in c.running]
    return next((name for begins, ends, name in said if begins > ends), None)


def quiet(c):
    """Seconds until the servers' CPU time stands still: nothing is being recovered any more."""
    begin, before = time.monotonic(), cpu(c)
    while time.monotonic() - begin < LIMIT:
        time.sleep(1)
        now = cpu(c)
        if now - before < 0.15:
            return time.monotonic() - begin - 1
        before = now
    sys.exit(f"many_logs.py: the servers are not quiet within {LIMIT} s")


def latency(c):
    report = json.loads(c.run("bench", "append", "--log", "active", "--size", 1024, "--in-flight", 1, "--seconds", 3, "--json").stdout)
    return report["p50_us"], report["p99_us"]


def failovers(c, kills):
    """Milliseconds from the kill to the next acknowledgement; seconds and CPU seconds until all is quiet again."""
    ms, calm = [], []
    for _ in range(kills):
        leader = wait(lambda: leads(c), "nobody leads")
        appender = Appender(c, "active", 200)
        try:
            appender.acknowledged_after(time.monotonic_ns())
            c.kill(leader)
            killed = time.monotonic_ns()
            ms.append((appender.acknowledged_after(killed) - killed) / 1e6)
        finally:
            appender.stop()
        spent = cpu(c)
        calm.append((quiet(c), cpu(c) - spent))
        c.start(leader)
        quiet(c)
    return ms, calm


def restart(c):
    """Seconds until a storage node that was stopped serves again, and until all is quiet."""
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
    return served, quiet(c)


def measure(c, kills):
    leader = wait(lambda: leads(c), "nobody leads")
    out = {"leader": process(c, leader), "node": process(c, "node1"), "disk": disk(c.data("node1")), "latency": latency(c)}
    out["failover"] = failovers(c, kills)
    out["restart"] = restart(c)
    return out


def row(what, before, after):
    print(f"| {what} | {before} | {after} |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--logs", type=int, default=10_000)
    p.add_argument("--kills", type=int, default=5)
    o = p.parse_args()
    with Cluster() as c:
        c.create("active")
        one = measure(c, o.kills)
        before, begun = disk(c.data("node1") / "logs"), cpu(c)
        created = subprocess.run([BIN / "loglog-create-logs", wait(lambda: c.sequencers.get(leads(c)), "nobody leads"), "tenant", str(o.logs)],
                                 check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        settled = quiet(c)
        spent = cpu(c) - begun
        grown = disk(c.data("node1") / "logs") - before
        many = measure(c, o.kills)

    print(f"{created}; quiet {settled:.0f} s later; {spent:.1f} s of CPU time in all\n")
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
    row("… s until all is quiet, CPU s of all servers until then",
        *(", ".join(f"{percentile([x[i] for x in m['failover'][1]], 0.5):.1f}" for i in (0, 1)) for m in (one, many)))
    row("storage node stopped and started: s until it serves, until all is quiet", *(", ".join(f"{x:.2f}" for x in m["restart"]) for m in (one, many)))


if __name__ == "__main__":
    main()
