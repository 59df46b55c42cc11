#!/usr/bin/env python3
"""All bounds of spec/09 at once: a cluster of three and three under clients of every kind.
crowd.cpp plays the clients while a storage node is killed and comes back. A node's memory is the
sum of its figures and a constant and does not grow, no process ends, appends go on, and after the
load the status says that all is well.

    tests/chaos/soak.py [--seconds N] [--only ROLE,...]
"""

import argparse
import itertools
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from cluster import BIN, Cluster, check, free_ports  # noqa: E402

MIB = 1 << 20
# The figures whose sum is the memory that a node holds for others. Queued bytes count twice if they
# are a page or a run for a peer. Freed memory that is still resident is judged by itself.
FREE = "free_memory"
COUNTED = {"storage": ("staged", "cached", "pages_in_flight", "fetched", "given", "queued", "receiving", FREE),
           "sequencer": ("queued", "receiving", FREE)}
# Memory beyond the figures: the program and its libraries (12 MiB), connections and readers (a few
# kilobytes each), metadata, the HTTP pages, groups on their way to the disk.
CONSTANT = {"storage": 96 * MIB, "sequencer": 96 * MIB}
# limits of the units that are shipped (samples/deploy/systemd)
LIMIT = {"storage": 1024 * MIB, "sequencer": 256 * MIB}
ADDRESS_SPACE = 4 << 30  # a node that grows ends itself and not the machine
TREND = 32 * MIB  # the last third may use so much more memory than the middle third
WINDOW = 3  # seconds: figures and memory are looked at one after the other, so single samples err
FREE_WINDOW, FREE_MAX = 10, 64 * MIB  # a node looks each second and gives back freed memory above 32 MiB
APPENDS_FLOOR = 20  # a second, in the median; machines differ, and strangers take their share
STANDSTILL = 15  # seconds without an append, at most, because a node is killed meanwhile
AWAY = "node3"


class Soaked(Cluster):
    def __init__(self):
        super().__init__(name="soak")
        names = [*self.sequencers, *self.storage]
        self.http = {name: f"127.0.0.1:{port}" for name, port in zip(names, free_ports(len(names)))}

    def command(self, name):
        return [*super().command(name), "--http", self.http[name]]

    def start(self, name):
        super().start(name)
        subprocess.run(["prlimit", "--pid", str(self.running[name].pid), f"--as={ADDRESS_SPACE}"], check=True)

    def kind(self, name):
        return "storage" if name in self.storage else "sequencer"

    def figures(self, name):
        with urllib.request.urlopen(f"http://{self.http[name]}/metrics", timeout=5) as answer:
            return {k: float(v) for k, v in re.findall(r"^(loglog_\w+) (\S+)$", answer.read().decode(), re.M)}

    @staticmethod
    def resident(process):
        """Bytes in memory. OSError if the process is gone, or ends and has none any more."""
        found = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())
        if found is None:
            raise ProcessLookupError(process.pid)
        return int(found[1]) << 10


def uncounted_of(sample):
    return sample[1] - sum(sample[2].values())


def free_of(sample):
    return sample[2][FREE]


def lasting(samples, seconds, of):
    """The sample with the most that lasted: of each window of so many seconds in which one process
    was looked at from begin to end, the least counts. None without such a window."""
    least = []
    for _, life in itertools.groupby(samples, key=lambda s: s[3]):
        life = list(life)
        for i, begin in enumerate(life):
            window = list(itertools.takewhile(lambda s, begin=begin: s[0] <= begin[0] + seconds, (life[j] for j in range(i, len(life)))))
            if i + len(window) < len(life):  # the process outlived the window
                least.append(min(window, key=of))
    return max(least, key=of, default=None)


class Watch(threading.Thread):
    """Samples each node's memory and figures."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.samples, self.problems, self.over = cluster, {}, [], threading.Event()
        self.absent = set()  # killed by the test

    def run(self):
        begun = time.monotonic()
        try:
            while not self.over.wait(0.5):
                for name in [*self.cluster.sequencers, *self.cluster.storage]:
                    if name not in self.absent:
                        self.look(name, time.monotonic() - begun)
        except Exception as e:  # otherwise the watch would end unnoticed
            self.problems.append(f"the watch ended: {e!r}")

    def look(self, name, at):
        process = self.cluster.running.get(name)
        if process is None:
            return
        if process.poll() is not None:
            if name not in self.absent:
                self.absent.add(name)
                self.problems.append(f"{name} has ended with {process.returncode} after {at:.0f} s: {self.cluster.log_of(name)[-800:]}")
            return
        try:
            before = self.cluster.resident(process)
            figures = self.cluster.figures(name)
            resident = min(before, self.cluster.resident(process))
        # The node does not serve pages yet, or all its places for pages are taken. If it is being killed, kill_and_start() takes
        # it from the cluster meanwhile; if it ended by itself, the next look tells.
        except OSError:
            return
        kind = self.cluster.kind(name)
        counted = {what: figures[f"loglog_{kind}_{what}_bytes"] for what in COUNTED[kind]}
        self.samples.setdefault(name, []).append((at, resident, counted, process.pid))

    def judge(self, seconds):
        for name in [*self.cluster.sequencers, *self.cluster.storage]:
            samples = self.samples.get(name, [])
            if len(samples) < seconds / 4:
                self.problems.append(f"{name} was looked at {len(samples)} times only: its pages did not answer")
                continue
            kind = self.cluster.kind(name)
            most = max(samples, key=lambda s: s[1])
            above, free = lasting(samples, WINDOW, uncounted_of), lasting(samples, FREE_WINDOW, free_of)
            if above is None or free is None:
                self.problems.append(f"{name} was never looked at for {FREE_WINDOW} s")
                continue
            uncounted = uncounted_of(above)
            # Counted bytes have limits of their own and may rise to them.
            thirds = [[uncounted_of(s) for s in samples if seconds * i / 3 <= s[0] < seconds * (i + 1) / 3] for i in range(3)]
            medians = [statistics.median(third) if third else 0 for third in thirds]
            print(f"{name}: {len(samples)} looks; resident at most {most[1] / MIB:.0f} MiB with {sum(most[2].values()) / MIB:.0f} counted; "
                  f"not counted at most {uncounted / MIB:.0f} MiB, after {above[0]:.0f} s; by thirds {[round(m / MIB) for m in medians]}; "
                  f"freed and kept for {FREE_WINDOW} s at most {free_of(free) / MIB:.0f} MiB", flush=True)
            if free_of(free) > FREE_MAX:
                self.problems.append(f"{name} keeps {free_of(free) / MIB:.0f} MiB of freed memory after {free[0]:.0f} s")
            if uncounted > CONSTANT[kind]:
                told = {k: round(v / MIB) for k, v in above[2].items()}
                self.problems.append(f"{name} has {above[1] / MIB:.0f} MiB in memory after {above[0]:.0f} s and counts {told}: over its constant "
                                     f"of {CONSTANT[kind] / MIB:.0f}")
            if most[1] > LIMIT[kind]:
                self.problems.append(f"{name} has {most[1] / MIB:.0f} MiB in memory, its unit gives it {LIMIT[kind] / MIB:.0f}")
            if medians[2] > medians[1] + TREND:
                self.problems.append(f"{name}: what is not counted grows: {[round(m / MIB) for m in medians]} MiB by thirds")


class Load:
    """The crowd program and its report of each second."""

    def __init__(self, cluster, seconds, only):
        command = [BIN / "crowd", "--seconds", seconds, "--cluster", cluster.addresses(), "--sequencers", ",".join(cluster.sequencers.values()),
                   "--storage", ",".join(cluster.storage.values()), "--pages", ",".join(cluster.http.values()), *(["--only", only] if only else [])]
        self.process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def judge(self, begun, only):
        last = self.lines[-1]
        rates = [(b["committed"] - a["committed"]) / max(b["second"] - a["second"], 0.1) for a, b in zip(self.lines, self.lines[1:])]
        print(f"crowd: {json.dumps(last)}; appends a second: median {statistics.median(rates):.0f}, least {min(rates):.0f}", flush=True)
        problems = []
        still = longest = 0.0
        for a, b in zip(self.lines, self.lines[1:]):
            still = still + b["second"] - a["second"] if b["committed"] == a["committed"] else 0.0
            longest = max(longest, still)
        if longest > STANDSTILL:
            problems.append(f"no append was committed for {longest:.0f} s")
        if statistics.median(rates) < APPENDS_FLOOR:
            problems.append(f"{statistics.median(rates):.0f} appends a second in the median, at least {APPENDS_FLOOR} are expected")
        if not only:
            problems += [f"none of the crowd's {what}" for what, n in last.items() if n == 0 and what not in ("refused", "unknown")]
        return problems


def kill_and_start(c, watch, until):
    """Kills a node while the others go on, and starts it again so that it catches up, as often as
    the time allows."""
    pause = 8
    while time.monotonic() + 2 * pause < until:
        time.sleep(pause)
        watch.absent.add(AWAY)
        c.kill(AWAY)
        time.sleep(3)
        c.start(AWAY)
        watch.absent.discard(AWAY)
        pause = 20


def wait_healthy(c, timeout):
    deadline = time.monotonic() + timeout
    while True:
        r = c.run("status", "--json", check=False)
        status = json.loads(r.stdout) if r.stdout else {}
        if r.returncode == 0 and status.get("health") == "healthy" and not status.get("alarms"):
            return status
        check(time.monotonic() < deadline, f"in {timeout} s after the load: {r.returncode} {r.stdout[:2000].decode()} {r.stderr[-500:].decode()}")
        time.sleep(0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=36)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    with Soaked() as c:
        c.create("begin")
        watch = Watch(c)
        watch.start()
        begun = time.monotonic()
        load = Load(c, options.seconds, options.only)
        try:
            kill_and_start(c, watch, begun + options.seconds)
            load.process.wait(timeout=max(1, begun + options.seconds - time.monotonic()) + 60)
        finally:
            load.process.kill()
            load.process.wait()
        load.reader.join()
        watch.over.set()
        watch.join()
        problems = watch.problems
        if load.process.returncode != 0:
            problems.append(f"the crowd ended with {load.process.returncode}")
        watch.judge(options.seconds)
        problems += load.judge(begun, options.only)
        ready = time.monotonic()
        status = wait_healthy(c, 60)
        check(c.run("append", "begin", input=b"after the load\n").returncode == 0, "status says healthy, so an append works")
        print(f"healthy {time.monotonic() - ready:.1f} s after the load: {status.get('verdict', '')}", flush=True)
        check(not problems, "; ".join(problems))
    print("soak: ok")


if __name__ == "__main__":
    main()
