#!/usr/bin/env python3
"""raft.log is damaged while a sequencer is down (spec/02 R2): a bit flips, or the file is cut in
half.
The sequencer starts, reports the loss, and has no vote before the leader has brought it up to date;
entries that a majority holds stay.
A raft.log without a header ends the start with a sentence that names the cure."""

import re
import subprocess
import time

from cluster import BIN, Cluster, check


def wait_for_line(c, name, pattern, since, timeout=20):
    deadline = time.monotonic() + timeout
    while not re.search(pattern, c.log_of(name)[since:]):
        check(c.running[name].poll() is None, f"{name} ended: {c.log_of(name)[-500:]}")
        check(time.monotonic() < deadline, f"{name} says '{pattern}': {c.log_of(name)[since:]}")
        time.sleep(0.05)


def wait_for_mark(log):
    """Waits until the mark covers the newest save, 20 ms later (R2). Rot before that looks like a
    torn write."""
    deadline = time.monotonic() + 10
    while True:
        said = subprocess.run([BIN / "loglog", "inspect", log], stdout=subprocess.PIPE, timeout=20).stdout.decode()
        marked, ends = (re.search(p, said) for p in (r"mark: durable up to byte (\d+)", r"ends at byte (\d+)"))
        if marked and ends and marked[1] == ends[1]:
            return
        check(time.monotonic() < deadline, f"the mark names the end: {said}")
        time.sleep(0.02)


def flip_newest(log):
    data = bytearray(log.read_bytes())
    data[len(data.rstrip(b"\0")) - 1] ^= 4
    log.write_bytes(data)


def cut_in_half(log):
    data = log.read_bytes()
    log.write_bytes(data[: 4096 + (len(data.rstrip(b"\0")) - 4096) // 2])


def main():
    with Cluster(sequencers=3, storage=3) as c:
        c.create("log")
        for token, damage in enumerate((flip_newest, cut_in_half), start=1):
            c.run("logs", "fence", "log", 10 * token)
            leader = c.leader()
            victim, other = [s for s in c.sequencers if s != leader]
            wait_for_mark(c.data(victim) / "raft.log")
            c.kill(victim)
            damage(c.data(victim) / "raft.log")
            # The damaged sequencer and the third must not take back entries that the leader and the
            # damaged sequencer had acknowledged.
            c.kill(other)
            c.kill(leader)
            since = len(c.log_of(victim))
            c.start(victim)
            c.start(other)
            wait_for_line(c, victim, r"ALARM .*raft\.log is damaged at byte \d+, and was durable up to byte \d+", since)
            time.sleep(3)
            check("leads in term" not in c.log_of(victim)[since:], "it does not lead")
            c.start(leader)
            wait_for_line(c, victim, "up to date: it votes again", since)
            stale = c.run("append", "log", "--fence", 10 * token - 1, "--timeout", 5, input=b"stale\n", check=False)
            check(stale.returncode != 0 and b"fenc" in stale.stderr, f"an older writer stays out: {stale.stderr}")

        victim = next(s for s in c.sequencers if s != c.leader())
        c.kill(victim)
        log = c.data(victim) / "raft.log"
        log.write_bytes(log.read_bytes()[:2000])
        ended = subprocess.run([str(a) for a in c.command(victim)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
        check(ended.returncode == 6, f"exit code 6: {ended.returncode} {ended.stderr}")
        check(b"start it with an empty one" in ended.stderr and b"replace-disk" not in ended.stderr, f"the cure: {ended.stderr}")
        print("a raft.log that rots or is cut is found, and nothing is taken back")


main()
