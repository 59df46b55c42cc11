#!/usr/bin/env python3
"""Full disks that sequencers share with storage nodes (spec/02 R3): no sequencer ends, elections
and fences go on in the reserve, sequencers start again, and a trim frees the disks. A sequencer
whose reserve is gone waits for space. A sequencer or storage node that cannot write for another
reason ends.
The disks are small tmpfs in a mount namespace of the test."""

import re
import resource
import subprocess
import time

from cluster import BIN, Cluster, check

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
        # A process that ignores SIGXFSZ is told of its limit of file sizes by the write itself.
        return ["nsenter", "--target", self.holder.pid, "--user", "--mount",
                "--preserve-credentials", "sh", "-c", 'trap "" XFSZ && exec "$@"', "sh"]

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


def wait_for(what, reached, seconds=30):
    """Waits until reached() is true; what() tells what was expected."""
    deadline = time.monotonic() + seconds
    while not reached():
        check(time.monotonic() < deadline, what())
        time.sleep(0.1)


def end_of_raft_log(c, name):
    said = c.on_disks(f"{BIN}/loglog inspect {c.data(name)}/raft.log")
    return int(re.search(r"ends at byte (\d+)", said)[1])


def without_a_reserve(c, token):
    """F12, R3: a sequencer without its reserve cannot save on a full disk. It names the file, the
    consequence and the way out. It goes on as soon as there is space. Returns the last token."""
    leader = c.leader()
    name, other = [s for s in c.sequencers if s != leader]
    c.kill(name)
    # The storage node of this disk waits for space too, and could take what is freed.
    storage = f"node{name[3:]}"
    c.kill(storage)
    data = c.data(name)
    # The reserve goes, as if somebody had tidied up, and its space is used.
    c.on_disks(f"rm -f {data}/*.spare; truncate -s {end_of_raft_log(c, name)} {data}/raft.log; "
               f"dd if=/dev/zero of={data.parent}/more bs=4096")
    since = len(c.log_of(name))
    c.start(name)
    said = lambda: c.log_of(name)[since:]
    full = (rf"ALARM sequencer {name[3:]}: cannot reserve space in {data}/raft\.log: "
            "No space left on device: its reserve is used up, and this sequencer neither votes nor "
            "acknowledges until there is space: free some, or trim logs\n")
    # The records of some fences still fit into the last page of raft.log.
    for token in range(token + 1, token + 300):
        c.run("logs", "fence", "log", token)
        if re.search(full, said()):
            break
    wait_for(lambda: f"{name} cannot save and says why: {said()}", lambda: re.search(full, said()))
    # It waits, and asks again every second without another alarm.
    c.run("logs", "fence", "log", token + 1)
    time.sleep(2.5)
    check(c.running[name].poll() is None, f"{name} ended: {said()}")
    check(len(re.findall(full, said())) == 1, f"a single alarm: {said()}")
    c.on_disks(f"rm {data.parent}/more")
    wait_for(lambda: f"{name} has space again: {said()}",
             lambda: "this sequencer's disk has space again" in said())
    # A majority needs its acknowledgement now.
    c.kill(other)
    c.run("logs", "fence", "log", token + 2)
    c.start(other)
    c.start(storage)
    return token + 2


def unwritable_raft_log(c, token):
    """F12, K2: a sequencer whose raft.log cannot be written for another reason than space ends with
    exit code 8. The sentence is about its own disk, not about bytes that a reader wants."""
    leader = c.leader()
    name, other = [s for s in c.sequencers if s != leader]
    process = c.running[name]
    since = len(c.log_of(name))
    size = end_of_raft_log(c, name)
    check(size > 4096 + len(c.log_of(name)), "the limit leaves room for the log of events")
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    c.run("logs", "fence", "log", token + 1)
    wait_for(lambda: f"{name} ends: {c.log_of(name)[since:]}", lambda: process.poll() is not None)
    said = c.log_of(name)[since:]
    check(process.returncode == 8, f"exit code 8: {process.returncode} {said}")
    check(f"ALARM sequencer {name[3:]}: this node's disk failed; another replica has what it "
          f"should hold: cannot write {c.data(name)}/raft.log: File too large\n" in said, said)
    check("these bytes" not in said, said)
    # A new start finds everything that it acknowledged, and a majority may need it.
    c.start(name)
    c.kill(other)
    c.run("logs", "fence", "log", token + 2)
    c.start(other)


def failed_disk(c):
    """K2: a storage node whose disk fails to write ends with exit code 8 and acknowledges nothing
    more. Appends go on without it, and a new start finds all that it acknowledged."""
    c.run("logs", "delete", "log")
    c.on_disks(f"rm {c.dir}/disk*/filler")
    c.create("failing", "--segment-size", SEGMENT)
    c.run("append", "failing", input=b"".join(line + b"\n" for line in lines(0, 600)))
    c.wait_whole(["failing"])
    process = c.running["node3"]
    since = len(c.log_of("node3"))
    check(since < SEGMENT // 2, "the limit leaves room for the log of events")
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (SEGMENT // 2, resource.RLIM_INFINITY))
    c.run("append", "failing", input=b"which node 3 cannot write\n")
    wait_for("node 3 ends", lambda: process.poll() is not None)
    said = c.log_of("node3")[since:]
    check(process.returncode == 8, f"exit code 8: {process.returncode} {said}")
    check("ALARM storage 3: group write: File too large; the process ends" in said, said)
    c.start("node3")
    c.wait_whole(["failing"])


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
        token = without_a_reserve(c, 300)
        unharmed("without a reserve")

        point = c.read_all("log")[written // 2]["offset"]
        c.run("logs", "trim", "log", point)
        deadline = time.monotonic() + 30
        while append(c, [b"after the trim"])[0] != 1:
            check(time.monotonic() < deadline, "appends go on after a trim")
            time.sleep(0.2)
        unharmed("after the trim")
        unwritable_raft_log(c, token)
        failed_disk(c)
        print(f"{written} entries, then a trim, on full disks")


main()
