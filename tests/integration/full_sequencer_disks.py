#!/usr/bin/env python3
"""Full disks that sequencers share with storage nodes (spec/02 R3): no sequencer ends, elections
and fences go on in the reserve, sequencers start again, and a trim frees the disks.
The disks are small tmpfs in a mount namespace of the test."""

import subprocess
import time

from cluster import Cluster, check

DISK = 10 << 20
SEGMENT = 1 << 20


class SharedDisks(Cluster):
    """A cluster in which the sequencer and the storage node of the same number share a file system
    of DISK bytes."""

    def __init__(self):
        super().__init__(sequencers=3, storage=3)
        mounts = []
        for number in (1, 2, 3):
            disk = self.dir / f"disk{number}"
            disk.mkdir()
            mounts.append(f"mount -t tmpfs -o size={DISK} tmpfs {disk} && mkdir {disk}/seq{number} {disk}/node{number}")
        self.holder = subprocess.Popen(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                                        f"{' && '.join(mounts)} && echo ready && exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.permitted = self.holder.stdout.readline() == b"ready\n"

    def data(self, name):
        return self.dir / f"disk{name[-1]}" / name

    def inside(self, name):
        if name == "clients":
            return []
        return ["nsenter", "--target", self.holder.pid, "--user", "--mount", "--preserve-credentials"]

    def start(self, name):
        log = open(self.dir / f"{name}.log", "ab")
        self.running[name] = subprocess.Popen([str(c) for c in [*self.inside(name), *self.command(name)]], stdout=log, stderr=log)
        log.close()

    def on_disks(self, command):
        return subprocess.run([str(c) for c in self.inside("disk")] + ["sh", "-c", command], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60).stdout.decode()

    def stop(self):
        super().stop()
        self.holder.stdin.close()
        self.holder.wait(timeout=10)


def lines(first, count):
    return [b"%07d:" % i + b"d" * 1000 for i in range(first, first + count)]


def append(c, entries):
    """Appends. Returns how many entries were committed, and the result."""
    r = c.run("append", "log", "--timeout", 5, input=b"\n".join(entries) + b"\n", check=False, timeout=90)
    return len(r.stdout.split()), r


def main():
    disks = SharedDisks()
    if not disks.permitted:
        print(f"left out: no mount namespace is permitted here ({disks.holder.stderr.read().decode().strip()})")
        return disks.stop()
    with disks as c:
        c.create("log", "--segment-size", SEGMENT)
        written = 0
        while written < 2 * DISK // 1000:
            done, result = append(c, lines(written, 500))
            written += done
            if result.returncode != 0:
                break
        check(b"no_space" in result.stderr, f"the disks are full: {result.stderr[-300:]}")
        c.on_disks(f"for d in {c.dir}/disk*; do dd if=/dev/zero of=$d/filler bs=4096; done")

        def unharmed(when):
            for name, process in c.running.items():
                check(process.poll() is None, f"{name} ended {when}: {c.log_of(name)[-800:]}")

        # More changes than fit into the rest of raft.log's last page and into the next page.
        for number in range(200):
            c.run("logs", "fence", "log", 100 + number)
        unharmed("by fences on full disks")
        leader = c.leader()
        c.kill(leader)
        c.leader()
        c.start(leader)
        unharmed("after an election on full disks")
        for name in c.sequencers:
            c.kill(name)
        for name in c.sequencers:
            c.start(name)
        c.leader()
        unharmed("after a start on full disks")
        left = c.on_disks(f"ls -d {c.dir}/disk*/seq*/*.new")
        check(left == "", f"no half-written file is left behind: {left}")

        point = c.read_all("log")[written // 2]["offset"]
        c.run("logs", "trim", "log", point)
        deadline = time.monotonic() + 30
        while append(c, [b"after the trim"])[0] != 1:
            check(time.monotonic() < deadline, "appends go on after a trim")
            time.sleep(0.2)
        unharmed("after the trim")
        print(f"{written} entries, then a trim, on full disks")


main()
