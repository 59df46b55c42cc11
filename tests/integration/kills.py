#!/usr/bin/env python3
"""kill -9 under load by four producers and two followers: of the leader, of a storage node, of both
at once, and of all six nodes.
Nothing acknowledged is lost or stands twice, no producer's entries change order, and the replicas
end identical."""

import base64
import json
import random
import subprocess
import sys
import threading
import time

from cluster import Cluster, check

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
LOG = "kills"


class Producer(threading.Thread):
    """Feeds `loglog append` line by line and records each acknowledged offset with its time."""

    def __init__(self, cluster, name):
        super().__init__(daemon=True)
        self.name_ = name
        self.sent = []
        self.acknowledged = []  # (offset, monotonic time)
        self.stop_feeding = threading.Event()
        self.process = cluster.popen("append", LOG, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        threading.Thread(target=self.collect, daemon=True).start()
        self.start()

    def run(self):
        n = 0
        while not self.stop_feeding.is_set():
            n += 1
            line = f"{self.name_}:{n}:" + "x" * random.randrange(0, 400)
            self.sent.append(line)
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
            time.sleep(0.003)
        self.process.stdin.close()

    def collect(self):
        for line in self.process.stdout:
            self.acknowledged.append((int(line), time.monotonic()))

    def finish(self):
        self.stop_feeding.set()
        self.join(30)
        code = self.process.wait(timeout=90)
        time.sleep(0.2)
        check(code == 0, f"{self.name_}: append ended with {code}: {self.process.stderr.read().decode(errors='replace')}")
        check(len(self.acknowledged) == len(self.sent), f"{self.name_}: {len(self.sent)} sent, {len(self.acknowledged)} acknowledged")


def main():
    with Cluster() as c:
        c.create(LOG, "--segment-size", 1 << 20)
        producers = [Producer(c, f"p{i}") for i in range(4)]
        follows = [c.popen("follow", LOG, "--from", "begin", "--format", "json", stdout=open(c.dir / f"follow{i}", "wb")) for i in range(2)]
        time.sleep(1)
        gaps = []

        def resume_time(kill_names):
            """Kills the nodes. Returns the seconds until every producer has a new acknowledgement.
            """
            at = time.monotonic()
            for name in kill_names:
                c.kill(name)
            killed = time.monotonic()
            deadline = killed + 15
            while time.monotonic() < deadline:
                if all(any(t > killed for _, t in p.acknowledged[-50:]) for p in producers):
                    break
                time.sleep(0.005)
            else:
                raise AssertionError(f"appends do not resume after the death of {kill_names}")
            return max(min(t for _, t in p.acknowledged[-2000:] if t > killed) for p in producers) - at

        for round_ in range(ROUNDS):
            for kind in ("leader", "storage", "both"):
                names = []
                if kind != "storage":
                    names.append(c.leader())
                if kind != "leader":
                    names.append(random.choice(list(c.storage)))
                gap = resume_time(names)
                if kind == "leader":
                    gaps.append(gap)
                check(kind == "storage" or gap < 2.0, f"appends resumed {gap:.2f} s after the death of {names}")
                for name in names:
                    c.start(name)
                c.leader()
                deadline = time.monotonic() + 20
                # otherwise the next victim would exceed the failures that the cluster survives
                while time.monotonic() < deadline:
                    s = c.status()
                    if all(n["state"] == "up" for n in s["storage"]) and all(q["role"] != "unreachable" for q in s["sequencers"]):
                        break
                    time.sleep(0.1)
                else:
                    raise AssertionError(f"the cluster does not heal: {c.status()}")
                time.sleep(0.3)

        # All six nodes at once.
        for name in list(c.running):
            c.kill(name)
        time.sleep(0.3)
        c.start_all()
        c.leader()
        time.sleep(1)
        for p in producers:
            p.finish()

        info = c.wait_identical(LOG)
        entries = c.read_all(LOG)
        verify(producers, entries)
        for i, f in enumerate(follows):
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and open(c.dir / f"follow{i}", "rb").read().count(b"\n") < len(entries):
                time.sleep(0.2)
            f.terminate()
            f.wait(timeout=10)
            followed = [json.loads(l) for l in open(c.dir / f"follow{i}", "rb").read().splitlines()]
            check(followed == entries, f"follower {i} saw {len(followed)} entries, the log holds {len(entries)}, or they differ")
        gaps.sort()
        print(f"{ROUNDS} rounds, {len(entries)} entries, committed {info['committed']}; "
              f"appends resumed after a leader's death in {gaps[len(gaps) // 2] * 1000:.0f} ms (median), {gaps[-1] * 1000:.0f} ms (most)")


def verify(producers, entries):
    """The acknowledged offsets hold the right entries, once each and in the producer's order."""
    at = {e["offset"]: base64.b64decode(e["bytes"]).decode() for e in entries}
    check(len(set(at.values())) == len(entries), "an entry stands twice in the log")
    for p in producers:
        for line, (offset, _) in zip(p.sent, p.acknowledged):
            check(at.get(offset) == line, f"{line[:20]} was acknowledged at {offset}, which holds {str(at.get(offset))[:20]}")
        mine = [v for _, v in sorted(at.items()) if v.startswith(p.name_ + ":")]
        check(mine == p.sent, f"{p.name_}: order or content differs")


main()
