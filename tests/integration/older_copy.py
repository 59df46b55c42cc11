#!/usr/bin/env python3
"""A storage node starts on an older copy of its directory while the leader changes, so that no
running process remembers the entries that the node had acknowledged (T4).
With a third node that lags, the log must wait for the node that has everything."""

import json
import shutil
import time

from cluster import Cluster, check


def wait_for(what, reached, seconds=30):
    deadline = time.monotonic() + seconds
    while not reached():
        check(time.monotonic() < deadline, what)
        time.sleep(0.2)


def node_state(c, number):
    """The state of a storage node as the leader reports it, or None."""
    status = c.try_status()
    return next((n["state"] for n in (status or {}).get("storage", []) if n["id"] == number), None)


def main():
    with Cluster(sequencers=3, storage=3) as c:
        c.create("log")
        early = [b"early %d" % i for i in range(50)]
        c.run("append", "log", input=b"\n".join(early) + b"\n")
        # A copy of node 2's directory, older than the entries that come next.
        c.kill("node2")
        shutil.copytree(c.data("node2"), c.dir / "copy")
        c.start("node2")
        wait_for("node 2 is whole", lambda: all(r["state"] == "streaming" for r in c.status()["logs"][0]["replicas"]))
        # Node 3 misses the late entries; nodes 1 and 2 acknowledge them.
        c.kill("node3")
        late = [b"late %d" % i for i in range(200)]
        c.run("append", "log", input=b"\n".join(late) + b"\n")

        # Node 2 comes back with the copy, and together with node 3, which lags. Both lack
        # acknowledged entries.
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

        # Node 1 has everything, so the log goes on and node 2 counts as down.
        c.start("node1")
        c.start(leader)
        wait_for("node 2 counts as down", lambda: node_state(c, 2) == "data_loss")
        c.run("append", "log", "--timeout", 30, input=b"after\n")
        got = c.run("read", "log").stdout.splitlines()
        check(got == [*early, *late, b"after"], f"{len(got)} of {len(early) + len(late) + 1} entries are there")

        # F10b: verify names the loss and the way out, not a node that is down or lags.
        r = c.run("verify", "log", "--patience", 2, check=False)
        said = r.stdout.decode()
        check(r.returncode == 11, f"a lost replica is no agreement: {r.returncode} {said}")
        check("replica 2 refuses: its disk lost bytes that it had acknowledged: move its directory "
              "aside, start it with an empty one, then loglog nodes replace-disk 2" in said, said)
        check("start it, or leave" not in said and "catches up by itself" not in said, said)
        found = {f["id"]: f for f in json.loads(
            c.run("verify", "log", "--json", "--patience", 2, check=False).stdout)["replicas"]}
        check(found[1]["verdict"] == "agrees" and found[2]["verdict"] == "refuses", found)

        # C1: an empty disk takes the lost disk's place, and its own restart is no older copy.
        c.kill("node2")
        shutil.rmtree(c.data("node2"))
        c.start("node2")
        # The leader refuses until the node has come with its empty directory.
        wait_for("the disk is replaced", lambda: c.run("nodes", "replace-disk", 2, timeout=60, check=False).returncode == 0)
        wait_for("an empty disk takes its place", lambda: node_state(c, 2) == "up")
        c.kill("node2")
        c.start("node2")
        wait_for("and is no copy of itself", lambda: all(r["state"] == "streaming" for r in c.status()["logs"][0]["replicas"]))


main()
