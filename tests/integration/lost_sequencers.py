#!/usr/bin/env python3
"""Sequencers that lost their directories. One of three, while both others are up: it is a follower again. All three: they begin a new
cluster, storage nodes that hold data refuse it, and nothing is touched; with their directories back all goes on."""

import shutil
import time

from cluster import Cluster, check


def wait_for(what, test, timeout=60):
    deadline = time.monotonic() + timeout
    while not test():
        check(time.monotonic() < deadline, f"{what} within {timeout} s")
        time.sleep(0.2)


def roles(c):
    r = {f"seq{s['id']}": s["role"] for s in c.status()["sequencers"]}
    return r if sorted(r.values()) == ["follower", "follower", "leader"] else None


def main():
    with Cluster() as c:
        for log in ("a", "b", "c"):
            c.create(log)
            c.run("append", log, input=f"of {log}\n".encode())
        follower = next(s for s in c.sequencers if s != c.leader())
        c.kill(follower)
        shutil.rmtree(c.data(follower))
        c.start(follower)
        wait_for("the one with an empty directory follows", lambda: roles(c))
        c.run("append", "a", input=b"with an emptied sequencer\n")

        for s in c.sequencers:
            c.kill(s)
            c.data(s).rename(c.dir / f"kept-{s}")
            c.start(s)
        wait_for("sequencers with empty directories elect a leader", lambda: roles(c))
        refused = c.run("logs", "create", "new", check=False)  # its id might be that of one of a, b and c
        check(refused.returncode != 0 and b"fewer storage nodes are up" in refused.stderr, f"no log is made on them: {refused.stderr.decode()}")
        for node in c.storage:
            check("of cluster" in c.log_of(node) or "another cluster" in c.log_of(node), f"{node} says why")
            check(len(list((c.data(node) / "logs").iterdir())) == 3, f"{node} has its three logs and no other")

        for s in c.sequencers:
            c.kill(s)
            shutil.rmtree(c.data(s))
            (c.dir / f"kept-{s}").rename(c.data(s))
            c.start(s)
        for log in ("a", "b", "c"):
            c.run("append", log, "--timeout", 30, input=b"again\n")
            lines = c.run("read", log).stdout.splitlines()
            check(lines[0] == f"of {log}".encode() and lines[-1] == b"again", f"{log} goes on: {lines}")
    print("lost_sequencers: ok")


if __name__ == "__main__":
    main()
