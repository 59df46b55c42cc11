"""Producers and followers (tests/chaos/recorder.cpp) that record every call while servers are
stopped and started.
An orderly stop promises more than a crash: every append is committed, nothing is lost, twice or out
of order, and pauses are short."""

import pathlib
import signal
import subprocess
import sys
import time

from cluster import BIN, check

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))
import checkers  # noqa: E402

LOG = "rolling"


class RecordedLoad:
    """Recorders as clients of a cluster. As a context manager it ends them at the end."""
    def __init__(self, cluster, producers=3, rate=250, programs=BIN):
        self.cluster, self.programs = cluster, programs
        self.histories = cluster.dir / "histories"
        self.histories.mkdir(exist_ok=True)
        self.running = {}
        for i in range(producers):
            self.record("producer", f"p{i + 1}", "--rate", rate, "--in-flight", 64, "--timeout-ms", 60_000, "--bytes-max", 8192, "--seed", i)
        self.record("follower", "f1")

    def record(self, role, name, *options, programs=None):
        command = [(programs or self.programs) / "recorder", "--role", role, "--name", name, "--log", LOG, "--history", self.path(role, name),
                   "--cluster", self.cluster.addresses(), *options]
        self.running[role, name] = subprocess.Popen([str(c) for c in command])

    def path(self, role, name):
        return self.histories / f"{LOG}.{role}.{name}.jsonl"

    def wait_for_appends(self, more=50, timeout=30):
        """Waits until each producer has had `more` further answers."""
        read_from = {p: p.stat().st_size for p in self.producer_files()}
        deadline = time.monotonic() + timeout
        while any(answers_behind(p, at) < more for p, at in read_from.items()):
            check(time.monotonic() < deadline, f"appends go on within {timeout} s")
            time.sleep(0.02)

    def roll(self, programs, order):
        """Stops each node of `order` and starts it with those programs, under the load."""
        for name in order:
            code = self.cluster.kill(name, signal.SIGTERM)
            check(code == 0, f"{name} stops with 0, not {code}")
            self.cluster.programs[name] = programs
            self.cluster.start(name)
            self.cluster.wait_whole([LOG])
            self.wait_for_appends(more=10)

    def producer_files(self):
        files = [self.path(role, name) for role, name in self.running if role == "producer"]
        deadline = time.monotonic() + 20
        while not all(f.exists() for f in files):
            check(time.monotonic() < deadline, "every producer begins")
            time.sleep(0.02)
        return files

    def end(self, key, timeout=90):
        process = self.running.pop(key)
        process.send_signal(signal.SIGTERM)
        check(process.wait(timeout=timeout) == 0, f"{key[0]} {key[1]} ends well")

    def stop(self):
        for process in self.running.values():
            process.kill()
            process.wait()
        self.running.clear()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()

    # ---- what it demands
    def finish(self):
        """Ends the clients and judges their histories. Returns the appends, and the times in
        seconds (CLOCK_MONOTONIC) at which an append was committed, in order."""
        for key in [k for k in self.running if k[0] == "producer"]:
            self.end(key)
        info = self.cluster.wait_whole([LOG])["logs"][0]
        self.record("reader", "all", "--until", info["committed"])
        check(self.running.pop(("reader", "all")).wait(timeout=120) == 0, "the log can be read from end to end")
        self.wait_for_follower(info["committed"])
        for key in list(self.running):
            self.end(key)
        history = checkers.History.load(self.histories, LOG)
        bad = [f"{i}: {a.outcome}" for i, a in history.appends.items() if a.outcome != "committed"]
        check(not bad, f"{len(bad)} of {len(history.appends)} appends were not committed: {bad[:5]}")
        violations = checkers.check_history(history)
        check(not violations, "\n".join(violations))
        return history, sorted(a.end / 1e9 for a in history.appends.values())

    def wait_for_follower(self, committed, timeout=60):
        deadline = time.monotonic() + timeout
        while True:
            with open(self.path("follower", "f1"), "rb") as f:
                f.seek(max(0, f.seek(0, 2) - 4096))
                lines = f.read().splitlines()
            if lines and f'"next":{committed},'.encode() in lines[-1]:
                return
            check(time.monotonic() < deadline, f"the follower comes to {committed}: {lines[-1:]}")
            time.sleep(0.05)


def answers_behind(path, position):
    with open(path, "rb") as f:
        f.seek(position)
        return f.read().count(b'"event":"end"')


def longest_gap(times, begin, end):
    """The longest time without a commit, among the intervals that touch [begin, end]."""
    return max((b - a for a, b in zip(times, times[1:]) if b >= begin and a <= end), default=0.0)
