#!/usr/bin/env python3
"""Full data disks of storage nodes (K5): uploads are refused, nothing acknowledged is lost, no
process ends; reads, seals and trims go on, and after a trim appends do too.
The disks are small tmpfs in a mount namespace of the test."""

import json
import subprocess
import time
import urllib.request

from cluster import Cluster, check, free_ports

DISK = 6 << 20
SEGMENT = 1 << 20


class SmallDisks(Cluster):
    """A cluster in which every storage node's data directory is a file system of DISK bytes."""

    def __init__(self):
        super().__init__(sequencers=3, storage=3)
        self.pages = dict(zip(self.sequencers, free_ports(3)))
        for name in self.storage:
            self.data(name).mkdir()
        mounts = " && ".join(f"mount -t tmpfs -o size={DISK} tmpfs {self.data(n)}" for n in self.storage)
        self.holder = subprocess.Popen(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f"{mounts} && echo ready && exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.permitted = self.holder.stdout.readline() == b"ready\n"

    def command(self, name):
        command = super().command(name)
        if name in self.sequencers:
            return [*command, "--http", f"127.0.0.1:{self.pages[name]}"]
        return ["nsenter", "--target", self.holder.pid, "--user", "--mount", "--preserve-credentials", *command]

    def stop(self):
        super().stop()
        self.holder.stdin.close()
        self.holder.wait(timeout=10)


def wait_for_alarm(c, wanted):
    """Waits until the status page of any sequencer says that disks are full, or no longer does.
    Then page, command line and exit code must tell the same: the same sentence about refused
    appends, and the free space."""
    deadline = time.monotonic() + 30
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{c.pages['seq1']}/status.json", timeout=10) as answer:
            page = json.load(answer)
        if wanted == {"node-disk-full", "log-no-space"}.issubset({a["id"] for a in page["alarms"]}):
            break
        check(time.monotonic() < deadline, f"full disks are {'' if wanted else 'not '}among {page['alarms']}")
        time.sleep(0.2)
    if not wanted:
        return
    said = "appends to log are refused: "
    check(page["health"] == "not_serving" and page["verdict"].startswith(said), f"the page's verdict: {page['verdict']}")
    status = c.run("status", check=False)
    check(status.returncode == 12 and f"not serving: {said}".encode() in status.stdout, f"loglog status: {status.returncode} {status.stdout}")
    told = json.loads(c.run("status", "--json").stdout)
    check(told["health"] == "not_serving" and any(a["id"] == "log-no-space" for a in told["alarms"]), f"loglog status --json: {told}")
    # D: the reason, the state of the log and its quorum are in the JSON too.
    check(told["verdict"].startswith(said), f"the JSON's verdict: {told['verdict']}")
    shown = [(l["name"], l["state"], l["write_quorum"]) for l in told["logs"]]
    check(shown == [("log", "open", 2)], told["logs"])
    # C: full disks have a way out that needs no space, and it is named with the options that exist.
    for a in (a for a in told["alarms"] if a["id"] in ("node-disk-full", "log-no-space")):
        for way in ("loglog logs trim NAME --keep-bytes 1GiB",
                    "loglog logs set NAME --retention-bytes N"):
            check(a["severity"] == "critical" and way in a["action"], f"the way out: {a}")
    check(all(n["disk_size_bytes"] == DISK and n["disk_free_bytes"] < DISK for n in told["storage"]), f"space of each disk: {told['storage']}")


def lines(first, count):
    return [b"%07d:" % i + b"d" * 1000 for i in range(first, first + count)]


def append(c, entries, check_exit=True):
    """Appends. Returns how many entries were committed, from the first on, and the result."""
    r = c.run("append", "log", "--timeout", 5, input=b"\n".join(entries) + b"\n", check=check_exit, timeout=90)
    return len(r.stdout.split()), r


def fill(c):
    """Appends until an append is refused. Returns the acknowledged entries."""
    acknowledged, number = [], 0
    while number < 3 * DISK // 1000:
        batch = lines(number, 500)
        number += len(batch)
        done, result = append(c, batch, check_exit=False)
        acknowledged += batch[:done]
        if result.returncode != 0:
            return acknowledged, result
    raise AssertionError("disks of 6 MiB took three times as much")


def main():
    disks = SmallDisks()
    if not disks.permitted:
        print(f"left out: no mount namespace is permitted here ({disks.holder.stderr.read().decode().strip()})")
        return disks.stop()
    with disks as c:
        c.create("log", "--segment-size", SEGMENT)
        acknowledged, refusal = fill(c)
        check(b"no_space" in refusal.stderr, f"the reason is named: {refusal.stderr[-500:]}")
        print(f"{len(acknowledged)} entries until: {refusal.stderr.decode().splitlines()[-1]}")

        def unharmed(when):
            for name, process in c.running.items():
                check(process.poll() is None, f"{name} ended {when}: {c.log_of(name)[-800:]}")
            read = c.run("read", "log", "--format", "lines").stdout.splitlines()
            # An entry that only some replicas refused may have been committed after its deadline;
            # no other entry may be there.
            check(read[:len(acknowledged)] == acknowledged, f"acknowledged entries are read back {when}")
            return read

        unharmed("while full")
        check(any("no space for" in c.log_of(n) for n in c.storage), "an alarm names the space wanted")
        wait_for_alarm(c, True)
        leader = c.leader()
        c.kill(leader)  # seal and recovery must work on full disks
        c.leader()
        c.start(leader)
        unharmed("after a failover")
        node = "node2"
        c.kill(node)
        c.start(node)
        read = unharmed("after a restart on a full disk")

        info = c.status()["logs"][0]
        wrong = c.run("logs", "trim", "log", info["committed"] - SEGMENT // 2, check=False)
        check(wrong.returncode != 0 and b"no entry begins" in wrong.stderr, f"a trim point is an entry's offset: {wrong.stderr}")
        # C: the way out works as the alarm words it. A quarter is kept. With the segments at both
        # ends and the new entries it takes at most 4.5 of the 6 MiB.
        c.run("logs", "trim", "log", "--keep-bytes", info["committed"] // 4)
        deadline = time.monotonic() + 30
        while True:
            done, result = append(c, [b"after the trim"], check_exit=False)
            if done == 1:
                break
            check(time.monotonic() < deadline, f"appends go on after a trim: {result.stderr}")
        tail = c.run("read", "log", "--format", "lines").stdout.splitlines()
        check(tail[-1] == b"after the trim" and tail[:-1] == read[-len(tail) + 1:], "what was kept is unchanged")
        done, _ = append(c, lines(100_000, 1500))
        check(done == 1500, "a segment and a half more")
        wait_for_alarm(c, False)


main()
