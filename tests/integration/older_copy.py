#!/usr/bin/env python3
"""A storage node is started on an older copy of its directory, and the leader changes in the same moment, so that nobody remembers
what the node had acknowledged (F11, T4). With a third node that lags, the log must wait for the node that has everything."""

import shutil
import time

from cluster import Cluster, check


def wait_for(what, reached, seconds=30):
    deadline = time.monotonic() + seconds
    while not reached():
        check(time.monotonic() < deadline, what)
        time.sleep(0.2)


def node_state(c, number):
    status = c.try_status()
    return next((n["state"] for n in (status or {}).get("storage", []) if n["id"] == number), None)


def main():
    with Cluster(sequencers=3, storage=3) as c:
        c.create("log")
        early = [b"early %d" % i for i in range(50)]
        c.run("append", "log", input=b"\n".join(early) + b"\n")
        c.kill("node2")
        shutil.copytree(c.data("node2"), c.dir / "copy")
        c.start("node2")
        wait_for("node 2 is whole", lambda: all(r["state"] == "streaming" for r in c.status()["logs"][0]["replicas"]))
        c.kill("node3")
        late = [b"late %d" % i for i in range(200)]
        c.run("append", "log", input=b"\n".join(late) + b"\n")

        leader = c.leader()
        for name in ("node1", "node2", leader):
            c.kill(name)
        shutil.rmtree(c.data("node2"))
        shutil.copytree(c.dir / "copy", c.data("node2"))
        c.start("node2")
        c.start("node3")
        wait_for("the copy is found", lambda: any("older copy" in c.log_of(s) for s in c.sequencers))
        r = c.run("append", "log", "--timeout", 4, input=b"into a log that lacks entries\n", check=False)
        check(r.returncode != 0 and not r.stdout.strip(), "nothing is committed without the node that has everything")
        wait_for("the node says so itself", lambda: "DATA LOSS" in c.log_of("node2"))

        c.start("node1")
        c.start(leader)
        wait_for("node 2 counts as down", lambda: node_state(c, 2) == "data_loss")
        c.run("append", "log", "--timeout", 30, input=b"after\n")
        got = c.run("read", "log").stdout.splitlines()
        check(got == [*early, *late, b"after"], f"{len(got)} of {len(early) + len(late) + 1} entries are there")

        c.kill("node2")
        shutil.rmtree(c.data("node2"))
        c.start("node2")
        c.run("nodes", "replace-disk", 2, timeout=60)
        wait_for("an empty disk takes its place", lambda: node_state(c, 2) == "up")
        c.kill("node2")
        c.start("node2")
        wait_for("and is no copy of itself", lambda: all(r["state"] == "streaming" for r in c.status()["logs"][0]["replicas"]))


main()
