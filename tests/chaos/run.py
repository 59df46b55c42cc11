#!/usr/bin/env python3
"""Chaos: three sequencers and three storage nodes in network namespaces, real clients that record
their calls, faults drawn from a seed, and at the end the checkers over the records.

    tests/chaos/run.py [--seconds S] [--seed N] [--rate R] [--disks forgetful|real]
        [--only FAULT,FAULT...]

The seed fixes the kinds, victims and lengths of the faults. It cannot repeat the machine's timing
in between."""

import argparse
import collections
import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import traceback

import checkers
from chaos_cluster import RESUME_LIMIT, ChaosCluster, Violation
from faults import FAULTS
from namespaces import run_inside

LOGS = {"wide": 4 << 20, "narrow": 256 << 10}  # by name: the segment size
FULL_READ_LIMIT = 120


def arguments():
    a = argparse.ArgumentParser(description="Chaos over real processes; see README.md beside this file.")
    a.add_argument("--seconds", type=float, default=60, help="how long faults go on")
    a.add_argument("--seed", type=int, help="of the faults; drawn when not given")
    a.add_argument("--rate", type=float, default=60, help="appends a second of each of the four producers")
    a.add_argument("--disks", choices=["forgetful", "real"], default="", help="what data lies on: a file system that forgets what was "
                   "not synced when power is cut (default where FUSE is permitted), or the machine's own")
    a.add_argument("--only", default="", help="names of faults, with commas between; all others stay away")
    a.add_argument("--lying-disks", action="store_true", help="positive control of the whole: disks keep nothing that is synced once "
                   "the run is under way, power is cut, and the run succeeds if the checkers find what that has lost")
    options = a.parse_args()
    options.only = [f for f in options.only.split(",") if f]
    for f in options.only:
        if f not in FAULTS:
            a.error(f"--only {f}: the faults are {', '.join(FAULTS)}")
    return options


class Counter:
    """Counts the records of the histories as they grow."""

    def __init__(self, directory):
        self.directory = directory
        self.read_up_to = collections.Counter()
        self.counts = collections.Counter()
        self.codes = collections.Counter()  # error codes of appends that were not committed
        self.last_commit = collections.Counter()  # by log: CLOCK_MONOTONIC seconds
        self.lock = threading.Lock()

    def look(self):
        with self.lock:
            for path in self.directory.glob("*.jsonl"):
                with open(path, "rb") as f:
                    f.seek(self.read_up_to[path])
                    data = f.read()
                data = data[:data.rfind(b"\n") + 1]
                self.read_up_to[path] += len(data)
                log, role, *_ = path.name.split(".")
                for line in data.splitlines():
                    self.count(log, role, line)
            return self.counts

    def count(self, log, role, line):
        if role == "producer":
            if line.startswith(b'{"event":"begin"'):
                self.counts["appends"] += 1
                return
            e = json.loads(line)
            self.counts[e["outcome"]] += 1
            if e["outcome"] == "committed":
                self.last_commit[log] = e["time"] / 1e9
            else:
                self.codes[f"{e['outcome']} {e['code']}"] += 1
        elif role == "follower" and line.startswith(b'{"event":"entry"'):
            self.counts["followed"] += 1
        elif line.startswith(b'{"event":"tail"'):
            self.counts["tails"] += 1

    def line(self):
        c = self.look()
        return (f"appends {c['appends']}, acknowledged {c['committed']}, unknown {c['unknown']}, refused {c['refused']}, "
                f"follower entries {c['followed']}, tails {c['tails']}")


class Chaos:
    def __init__(self, options, directory):
        self.seconds = options.seconds
        self.random = random.Random(options.seed)
        self.by_kind = collections.Counter()
        self.cluster = ChaosCluster(directory, options.disks)
        power = not self.cluster.no_power_cuts
        if not power:
            print(f"power cuts are left out: {self.cluster.no_power_cuts}")
        self.faults = {n: (weight, takes.removesuffix(" power"), f) for n, (weight, takes, f) in FAULTS.items()
                       if (not options.only or n in options.only) and (power or not takes.endswith(" power"))}
        self.cluster.rate = options.rate
        self.counter = Counter(self.cluster.histories)
        self.story = open(directory / "faults.log", "w", buffering=1)
        self.begun = time.monotonic()
        self.over = threading.Event()
        self.final_is_known = False  # the whole log has been read after healing

    def cut_power_of_lying_disks(self):
        for disk in self.cluster.disks.values():
            disk.command("lie")
        time.sleep(2)
        for node in self.cluster.nodes:
            self.cluster.kill(node)
        for disk in self.cluster.disks.values():
            disk.command("forget")
        self.cluster.start_all()

    # ---- the faults
    def tell(self, what):
        self.story.write(f"{time.monotonic() - self.begun:8.2f} s ({time.monotonic():.3f}): {what}\n")

    def draw(self, held, struck):
        """A fault and its victims; None if other faults hold every possible victim, or are at work
        while this fault needs to be alone."""
        names = list(self.faults)
        name = self.random.choices(names, [self.faults[n][0] for n in names])[0]
        takes = self.faults[name][1]
        c = self.cluster
        if takes == "all alone":
            return (name, c.nodes) if not struck else None
        if takes == "all":
            return (name, c.nodes) if not held else None
        if takes == "none":
            return name, []
        kinds = {"any": c.nodes, "storage": list(c.storage), "small disk": c.small_disks()}
        free = [n for n in kinds[takes] if n not in held]
        return (name, [self.random.choice(free)]) if free else None

    def strike(self):
        wanted = self.random.choice([1, 1, 1, 2, 2, 3])
        length = self.random.choice([0.2, 0.5, 1, 2, 4, 8]) * self.random.uniform(0.7, 1.3)
        with contextlib.ExitStack() as faults:
            held, struck = set(), []
            for _ in range(wanted):
                drawn = self.draw(held, struck)
                if drawn is None or drawn[0] in struck:
                    continue
                name, targets = drawn
                held.update(targets)
                self.tell(f"{name} {' '.join(targets) if len(targets) == 1 else ''}")
                faults.enter_context(self.faults[name][2](self.cluster, self.random, targets[0] if len(targets) == 1 else targets))
                struck.append(name)
                self.by_kind[name] += 1
            time.sleep(length)
        self.tell(f"healed after {length:.1f} s")
        self.nobody_ended()

    def nobody_ended(self):
        for name, process in self.cluster.running.items():
            if process.poll() is not None:
                raise Violation(f"no process ends by itself: {name} gave {process.returncode}: {self.cluster.log_of(name)[-1000:]}")
        for key, process in self.cluster.recorders.items():
            if process.poll() is not None:
                raise Violation(f"no client ends by itself: {' '.join(key)} gave {process.returncode}")

    def appends_resume(self):
        healed = time.monotonic()
        while True:
            self.counter.look()
            if all(self.counter.last_commit[log] > healed for log in LOGS):
                return time.monotonic() - healed
            if time.monotonic() > healed + RESUME_LIMIT:
                behind = {log: healed - self.counter.last_commit[log] for log in LOGS}
                raise Violation(f"healing: no append was acknowledged within {RESUME_LIMIT} s; seconds before it since the last: {behind}")
            time.sleep(0.05)

    # ---- the run
    def begin(self):
        self.cluster.start_all()
        for log, segment in LOGS.items():
            self.cluster.make_log(log, "--segment-size", segment)
            for _ in range(2):
                self.cluster.begin_producer(log, self.random, self.cluster.rate)
            for i in range(2):
                self.cluster.record(log, "follower", f"f{i}")
            self.cluster.record(log, "tail", "t", "--rate", 20)
        self.appends_resume()

    def go(self):
        deadline = time.monotonic() + self.seconds
        slowest = 0
        while time.monotonic() < deadline:
            self.strike()
            # otherwise the next fault strikes whatever the last has left behind
            if self.random.random() < 0.5:
                slowest = max(slowest, self.appends_resume())
            time.sleep(self.random.uniform(0, 1))
        return slowest

    def heal(self):
        """Heals everything and checks: appends go on, every reader gets the whole log, the files
        are equal."""
        violations = []
        self.tell("all healed")
        resumed = self.appends_resume()
        self.cluster.wait_healed("after the last fault")
        for key in [k for k in self.cluster.recorders if k[1] in ("producer", "tail")]:
            if self.cluster.end_recorder(key) != 0:
                violations.append(f"a client failed: {' '.join(key)}")
        committed = {log["name"]: log["committed"] for log in self.cluster.wait_healed("after the last append")["logs"]}
        unread = list(self.read_all("all", committed))
        self.final_is_known = not unread
        violations += unread
        # rot in a closed segment is found and repaired only when it is read there
        for node in self.cluster.storage:
            pairs = [(a, b) for n in self.cluster.storage if n != node for a, b in (("clients", n), (n, "clients"))]
            self.cluster.network.cut(pairs)
            violations += self.read_all(node, committed)
            self.cluster.network.mend(pairs)
        self.wait_for_followers()
        for key in list(self.cluster.recorders):
            if self.cluster.end_recorder(key) != 0:
                violations.append(f"a client failed: {' '.join(key)}")
        for log, log_id in self.cluster.log_ids.items():
            found = checkers.replicas_are_identical([self.cluster.data(n) for n in self.cluster.storage], log_id, committed[log])
            violations += [f"replicas_are_identical: {log}: {v}" for v in found]
        return violations, resumed

    def read_all(self, name, committed):
        """Reads both logs from end to end into the histories, within a time limit."""
        begin = time.monotonic()
        for log in LOGS:
            self.cluster.record(log, "reader", name, "--until", committed[log])
        for log in LOGS:  # started together, so that a single limit holds for both
            try:
                if self.cluster.recorders[log, "reader", name].wait(timeout=FULL_READ_LIMIT) == 0:
                    self.cluster.recorders.pop((log, "reader", name))
                else:
                    yield f"healing: {log} cannot be read from end to end ({name})"
            except subprocess.TimeoutExpired:
                yield f"healing: {log} was not read from end to end within {FULL_READ_LIMIT} s ({name})"
        yield from (f"healing: {v}" for v in checkers.healed_within("a full read", time.monotonic() - begin, FULL_READ_LIMIT))

    def wait_for_followers(self, limit=30):
        deadline = time.monotonic() + limit
        for log in LOGS:
            final = last_entry(self.cluster.histories / f"{log}.reader.all.jsonl")
            for path in self.cluster.histories.glob(f"{log}.follower.*.jsonl"):
                while last_entry(path) != final and time.monotonic() < deadline:
                    time.sleep(0.1)  # if a follower never gets there, followers_agree reports it

    def report_progress(self):
        while not self.over.wait(10):
            print(f"{time.monotonic() - self.begun:6.0f} s: faults {sum(self.by_kind.values())}, {self.counter.line()}", flush=True)


def last_entry(path):
    """The offset of a history's last entry."""
    with open(path, "rb") as f:
        f.seek(max(0, os.fstat(f.fileno()).st_size - 65536))
        lines = [line for line in f.read().splitlines(keepends=True) if line.startswith(b'{"event":"entry"') and line.endswith(b"\n")]
    return json.loads(lines[-1])["offset"] if lines else None


def main(directory):
    options = arguments()
    print(f"seed {options.seed}, {options.seconds:.0f} s", flush=True)
    chaos = Chaos(options, directory)
    threading.Thread(target=chaos.report_progress, daemon=True).start()
    if options.lying_disks and chaos.cluster.no_power_cuts:
        return 0
    violations, slowest, resumed = [], 0, 0
    try:
        chaos.begin()
        if options.lying_disks:
            chaos.cut_power_of_lying_disks()
        else:
            slowest = chaos.go()
        violations, resumed = chaos.heal()
    except Violation as v:
        violations.append(str(v))
    except Exception:
        violations.append(f"the run itself failed: {traceback.format_exc()}")
    finally:
        chaos.over.set()
        chaos.tell("the end")
        if violations:
            chaos.cluster.keep_data()
        chaos.cluster.stop()
    for log in LOGS:
        history = checkers.History.load(chaos.cluster.histories, log)
        violations += [f"{log}: {v}" for v in checkers.check_history(history, finished=chaos.final_is_known)]
    print("faults: " + ", ".join(f"{n} {k}" for n, k in sorted(chaos.by_kind.items())))
    print(chaos.counter.line())
    print("not committed: " + ", ".join(f"{n} {code}" for code, n in sorted(chaos.counter.codes.items())))
    print(f"appends resumed within {max(slowest, resumed):.1f} s of healing; seed {options.seed}, "
          f"{time.monotonic() - chaos.begun:.0f} s in all")
    for v in violations:
        print(f"VIOLATION {v}")
    print(f"{len(violations)} violations")
    if options.lying_disks:
        found = any("acknowledged_stays" in v for v in violations)
        print(f"that acknowledged entries were lost was {'found, as it must be' if found else 'NOT FOUND'}")
        return 0 if found else 1
    return 1 if violations else 0


if __name__ == "__main__":
    arguments()  # bad arguments are refused before anything is made
    if not any(a == "--seed" or a.startswith("--seed=") for a in sys.argv):
        sys.argv += ["--seed", str(random.SystemRandom().randrange(1 << 32))]
    run_inside(main)
