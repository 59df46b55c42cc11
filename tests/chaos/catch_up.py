#!/usr/bin/env python3
"""A storage node was away while many logs grew, and comes back over links of 1 Gbit/s (P1 to P4).
It is whole again in about the time that the missing bytes take on its link, appends go on
meanwhile, and no node's memory grows with the number of logs. Then its disk is replaced, and the
same bounds hold.

    tests/chaos/catch_up.py [LOGS [MIB_PER_LOG [MBIT_PER_SECOND]]]
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import BIN, Cluster, check  # noqa: E402

from namespaces import Network, run, run_inside  # noqa: E402

LOGS, MIB, MBIT = (int(x) for x in [*sys.argv[1:4], *["100", "2", "1000"][len(sys.argv[1:4]):]])
AWAY = "node3"
MEMORY_GROWTH = 128  # MiB, for each node
# seconds: the node's start and seal, the questions for `status`, and a busy machine
TIME_CONSTANT = 20
RECEIVED_TIMES = 1.25  # times the bytes that the node lacked or that were appended meanwhile
# of the rate of the whole cluster: 0.7 and more on a quiet machine; two cores are shared with
# everything else
APPENDS_SHARE = 0.5
ADDRESS_SPACE = 4 << 30  # a node that grows ends itself and not the machine


class Linked(Cluster):
    """A cluster in which each node has a link of its own."""

    def __init__(self, directory):
        super().__init__(name="catchup", directory=directory)
        self.network = Network([*self.sequencers, *self.storage, "clients"])
        for names in (self.sequencers, self.storage):
            for name in names:
                names[name] = f"{self.network.address[name]}:7000"

    def inside(self, name):
        return self.network.inside(name)

    def start(self, name):
        super().start(name)
        run("prlimit", "--pid", self.running[name].pid, f"--as={ADDRESS_SPACE}")

    def limit_links(self, mbit):
        for name in self.storage:
            for prefix, device in (([], name), (self.inside(name), "eth0")):
                run(*prefix, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{mbit}mbit", "burst", "128k", "latency", "200ms")

    def received(self, name):
        stats = json.loads(run("ip", "-j", "-s", "link", "show", "dev", name))[0]["stats64"]
        return stats["tx"]["bytes"] >> 20  # the bridge sends the bytes that the node receives

    def memory(self, name):
        process = self.running[name]
        if process.poll() is not None:
            raise AssertionError(f"{name} has ended with {process.returncode}: {self.log_of(name)[-500:]}")
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) >> 10

    def bench(self, seconds):
        said = self.run("bench", "append", "--log", "live", "--size", 1000, "--in-flight", 16, "--seconds", seconds).stdout.decode()
        return int(re.search(r": (\d+) entries/s", said)[1])

    def live_mib(self):
        said = self.run("status", "--json", check=False).stdout
        return sum(log["committed"] for log in json.loads(said)["logs"] if log["name"] == "live") >> 20

    def whole(self):
        # the exit code is not checked, because not all nodes are well
        said = self.run("status", "--json", check=False).stdout
        status = json.loads(said) if said else {"logs": []}
        number = int(AWAY[-1])
        return sum(r["id"] == number and r["state"] == "streaming" and r["durable"] >= log["committed"]
                   for log in status["logs"] if log["name"] != "live" for r in log["replicas"])


class MemoryWatch(threading.Thread):
    def __init__(self, cluster, before):
        super().__init__(daemon=True)
        self.cluster, self.before, self.grown, self.failure, self.over = cluster, before, {}, None, threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            try:
                for name, before in self.before.items():
                    self.grown[name] = max(self.grown.get(name, 0), self.cluster.memory(name) - before)
            except (AssertionError, OSError) as failure:
                self.failure = failure
                return


def fill(c, blob, pieces):
    def some(first):
        for i in range(first, LOGS, 4):
            c.run("append", f"log{i}", *sum((["--file", blob] for _ in range(pieces)), []))

    threads = [threading.Thread(target=some, args=(first,)) for first in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def catch_up(c, what, missing, appends_before, begin):
    """Runs `begin` and waits until the node is whole. Time, memory, bytes and the rate of appends
    have bounds."""
    at_rate = (missing + c.live_mib()) * 8 * 1.048576 / MBIT
    limit = 1.5 * at_rate + TIME_CONSTANT
    before = {n: c.memory(n) for n in c.storage if n != AWAY}
    before[AWAY] = max(before.values())  # its caches fill as those of the others have
    watch = MemoryWatch(c, before)
    received = c.received(AWAY)
    begun = time.monotonic()
    begin()
    watch.start()
    rates, over = [], threading.Event()

    def append():
        while not over.is_set():
            rates.append(c.bench(2))

    appends = threading.Thread(target=append)
    appends.start()
    try:
        while (whole := c.whole()) < LOGS:
            check(time.monotonic() - begun < limit + 60, f"{what}: {whole} of {LOGS} logs are whole, {c.received(AWAY) - received} MiB received, "
                  f"memory grown by {watch.grown} MiB, appends/s {rates}")
            check(watch.failure is None, f"{what}: {watch.failure}")
            time.sleep(0.25)
        took = time.monotonic() - begun
    finally:
        over.set()
        appends.join()
        watch.over.set()
        watch.join()
    received = c.received(AWAY) - received
    live = c.live_mib()
    print(f"{what}: {missing} MiB in {LOGS} logs and {live} MiB in one that is written, at line rate {at_rate:.1f} s: whole after {took:.1f} s; {received} MiB received; "
          f"memory grown by {watch.grown} MiB; appends/s {rates}, {appends_before} before", flush=True)
    check(watch.failure is None, f"{what}: {watch.failure}")
    check(took <= limit, f"{what} takes at most {limit:.1f} s, took {took:.1f}")
    check(received <= RECEIVED_TIMES * (missing + live) + 64, f"{what}: bytes cross the link once, {received} MiB came for {missing} + {live}")
    for name, grown in watch.grown.items():
        check(grown <= MEMORY_GROWTH, f"{what}: {name} grows by at most {MEMORY_GROWTH} MiB, grew by {grown}")
    check(rates != [] and max(rates) >= APPENDS_SHARE * appends_before, f"{what}: appends go on at {rates} a second, {appends_before} before")


def main(directory):
    with Linked(directory) as c:
        for i in range(LOGS):
            c.create(f"log{i}")
        c.create("live")
        blob = directory / "blob"
        blob.write_bytes(os.urandom(1 << 19))
        c.limit_links(MBIT)
        before = c.bench(4)
        c.kill(AWAY)
        fill(c, blob, 2 * MIB)
        catch_up(c, "a node comes back", LOGS * MIB, before, lambda: c.start(AWAY))
        before = c.bench(4)
        c.kill(AWAY)
        shutil.rmtree(c.data(AWAY))
        c.start(AWAY)
        deadline = time.monotonic() + 20
        while not any(f"node {AWAY[-1]} is registered with disk" in c.log_of(s) for s in c.sequencers):
            check(time.monotonic() < deadline, "the empty disk is refused within 20 s")
            time.sleep(0.1)
        commands = []

        def replace():
            command = [*c.inside("clients"), BIN / "loglog", "nodes", "replace-disk", AWAY[-1], "--cluster", c.addresses()]
            commands.append(subprocess.Popen([str(x) for x in command], stdout=subprocess.DEVNULL))

        try:
            catch_up(c, "a disk is replaced", LOGS * MIB, before, replace)
            check(commands[0].wait(timeout=60) == 0, "replace-disk ends with success")
        finally:
            for command in commands:
                command.kill()
    return 0


if __name__ == "__main__":
    run_inside(main)
