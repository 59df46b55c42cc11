#!/usr/bin/env python3
"""Under load, each of the six nodes is stopped with SIGTERM and started again, in sequence: first
with the leader last, then with the leader first.
Every append is committed, and no restart makes appends pause for long.
An embedded cluster stops as a whole: it hands over to nobody and waits for nothing.

    tests/integration/rolling_restart.py [ROUNDS]
"""

import os
import signal
import subprocess
import sys
import tempfile
import time

from cluster import BIN, Cluster, check, free_ports
from recorded_load import LOG, RecordedLoad, longest_gap

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 2
# On a busy machine with sanitizers a pause may exceed the promised time.
PAUSE_MAX = float(os.environ.get("LOGLOG_PAUSE_MAX", "3"))


def order_of(cluster, leader_last):
    leader = cluster.leader()
    others = [*cluster.storage, *(s for s in cluster.sequencers if s != leader)]
    return [*others, leader] if leader_last else [leader, *others]


def embedded_stops_at_once():
    for sequencers in (1, 3):
        with tempfile.TemporaryDirectory(prefix="loglog-test-") as d:
            address = f"127.0.0.1:{free_ports(1)[0]}"
            p = subprocess.Popen([str(BIN / "loglog"), "dev", "--data", d, "--listen", address, "--sequencers", str(sequencers)],
                                 stdout=subprocess.PIPE)
            try:
                check(p.stdout.readline().startswith(b"ready"), "an embedded cluster serves")
                for command in (["logs", "create", "a"], ["append", "a"]):
                    subprocess.run([str(BIN / "loglog"), *command, "--cluster", address], input=b"x\n", stdout=subprocess.DEVNULL, timeout=60, check=True)
                begin = time.monotonic()
                p.terminate()
                check(p.wait(timeout=20) == 0, "it stops with 0")
                took = time.monotonic() - begin
                print(f"embedded cluster of {sequencers} sequencers stopped in {took:.3f} s")
                check(took < 1.9, f"it waits for nobody to take over: {took:.3f} s")
            finally:
                p.kill()
                p.wait()


def main():
    embedded_stops_at_once()
    steps = []
    with Cluster() as c:
        c.create(LOG, "--segment-size", 1 << 20)
        with RecordedLoad(c) as load:
            load.wait_for_appends()
            for n in range(ROUNDS):
                for name in order_of(c, leader_last=n % 2 == 0):
                    led = name == c.leader()
                    begin = time.monotonic()
                    code = c.kill(name, signal.SIGTERM)
                    stopped = time.monotonic()
                    check(code == 0, f"{name} stops with 0, not {code}")
                    if led:
                        check("hands over to sequencer" in c.log_of(name), f"{name} hands over before it stops")
                    c.start(name)
                    c.wait_whole([LOG])
                    steps.append((f"{name}{' (leader)' if led else ''}", begin, stopped, time.monotonic()))
                    load.wait_for_appends(more=10)
            history, times = load.finish()
    worst = 0
    for name, begin, stopped, whole in steps:
        gap = longest_gap(times, begin, whole)
        worst = max(worst, gap)
        print(f"{name:15} stopped in {stopped - begin:.3f} s, whole again after {whole - begin:.3f} s, longest pause {gap * 1000:.0f} ms")
    print(f"rolling restart: {len(history.appends)} appends, all committed; longest pause {worst * 1000:.0f} ms")
    check(worst < PAUSE_MAX, f"no restart makes appends pause for {PAUSE_MAX} s")


main()
