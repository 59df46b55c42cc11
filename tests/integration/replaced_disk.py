#!/usr/bin/env python3
"""A storage node's disk is gone for good, under load (C1). Nothing happens without an operator;
`loglog nodes replace-disk` makes the node a member again with an empty directory; acknowledged
entries survive the loss of another node directly afterwards.
Each node in turn."""

import shutil
import time

from cluster import Cluster, check
from recorded_load import LOG, RecordedLoad

IDLE = "idle/never-used"


def condition(c, node):
    return next((n["state"] for n in c.status()["storage"] if f"node{n['id']}" == node), None)


def refused(c, number, *options, because):
    """The command must fail with exit code 1 and a sentence that contains `because`."""
    r = c.run("nodes", "replace-disk", number, *options, check=False)
    check(r.returncode == 1 and because in r.stderr.decode(), f"refused because {because!r}: {r.returncode} {r.stderr.decode()}")


def wait_refused(c, node, timeout=20):
    """Waits until the node's new disk has been refused by a leader."""
    deadline = time.monotonic() + timeout
    words = f"node {node[-1]} is registered with disk"
    while not any(words in c.log_of(s) for s in c.sequencers):
        check(time.monotonic() < deadline, f"{node} is sent away within {timeout} s")
        time.sleep(0.1)


def main():
    with Cluster() as c:
        c.create(LOG, "--segment-size", 1 << 20)
        c.create(IDLE)
        nodes = list(c.storage)
        with RecordedLoad(c) as load:
            load.wait_for_appends()
            refused(c, 9, because="no storage node 9 is registered")
            refused(c, 2, because="nothing to replace")
            for node in nodes:
                number = node[-1]
                c.kill(node)
                old = c.dir / f"old-{node}"
                c.data(node).rename(old)
                c.start(node)
                wait_refused(c, node)
                check(condition(c, node) == "foreign_disk", f"{node} with an empty directory: {condition(c, node)}")
                load.wait_for_appends()
                # With another node away, nobody knows whether the lost disk alone held an
                # acknowledged entry.
                other = nodes[(nodes.index(node) + 1) % len(nodes)]
                c.kill(other)
                refused(c, number, because="needs 2 of its other replicas up")
                c.start(other)
                deadline = time.monotonic() + 30
                while condition(c, other) != "up":
                    check(time.monotonic() < deadline, f"{other} is up again")
                    time.sleep(0.1)
                begun = time.monotonic()
                said = c.run("nodes", "replace-disk", number).stdout.decode()
                took = time.monotonic() - begun
                check(f"node {number} has a new disk; 2 logs are copied to it" in said and "2 of 2 logs copied" in said, said)
                c.wait_whole([LOG, IDLE])
                print(f"{node}: copied in {took:.2f} s under load")
                c.kill(other)  # the new disk must make up the quorum
                load.wait_for_appends()
                c.start(other)
                c.wait_whole([LOG, IDLE])
                # The old disk is a member of no log any more.
                c.kill(node)
                new = c.dir / f"new-{node}"
                c.data(node).rename(new)
                old.rename(c.data(node))
                c.start(node)
                deadline = time.monotonic() + 20
                while condition(c, node) != "foreign_disk":
                    check(time.monotonic() < deadline, f"the old disk of {node} is refused")
                    time.sleep(0.1)
                c.kill(node)
                shutil.rmtree(c.data(node))
                new.rename(c.data(node))
                c.start(node)
                c.wait_whole([LOG, IDLE])
            c.run("logs", "delete", IDLE)
            history, _ = load.finish()
        c.wait_identical(LOG)
        c.run("verify", LOG)
        print(f"replaced disks: {len(history.appends)} appends, all committed; replicas verified")


if __name__ == "__main__":
    main()
