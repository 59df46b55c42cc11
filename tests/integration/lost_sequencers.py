#!/usr/bin/env python3
"""Sequencers that lost their directories (C3).
A single lost sequencer votes for nobody while another has not answered, and is a voter again once
the leader has brought it up to date.
With two lost, nobody is elected until an operator starts them with --trust-empty.
With all three lost, they begin a new cluster, which storage nodes with data refuse. With their old
directories back, everything goes on."""

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
        leader = c.leader()
        wiped, other = [s for s in c.sequencers if s != leader]
        c.kill(other)
        c.kill(wiped)
        shutil.rmtree(c.data(wiped))
        c.start(wiped)
        waits = f"it waits until sequencers {', '.join(sorted(s[-1] for s in (leader, other)))}"
        # also reported at its first start
        wait_for("it says for whom it waits", lambda: c.log_of(wiped).count(waits) == 2)
        time.sleep(3)  # longer than an election timeout
        check(c.log_of(wiped).count("it votes") == 1, "with an empty directory it does not vote while another one has not answered")
        c.start(other)
        wait_for("it is brought up to date", lambda: "up to date: it votes again" in c.log_of(wiped))
        c.run("append", "a", input=b"with an emptied sequencer\n")
        c.kill(leader)
        c.run("append", "a", "--timeout", 30, input=b"which has voted\n")
        c.start(leader)
        wait_for("three vote", lambda: roles(c))

        leader = c.leader()
        followers = [s for s in c.sequencers if s != leader]
        for s in c.sequencers:
            c.kill(s)
        for s in followers:
            shutil.rmtree(c.data(s))
        for s in c.sequencers:
            c.start(s)
        time.sleep(4)
        check(roles(c) is None, "two empty directories of three elect nobody")
        check(c.run("logs", "create", "new", check=False).returncode != 0, "nothing is made meanwhile")
        trusted = c.command
        c.command = lambda name: trusted(name) + (["--trust-empty"] if name in followers else [])
        for s in followers:
            c.kill(s)
            shutil.rmtree(c.data(s))
            c.start(s)
        wait_for("they are trusted", lambda: roles(c))
        check(c.leader() == leader, "the one that has a log leads")
        c.command = trusted
        c.run("append", "a", "--timeout", 30, input=b"with two that were trusted\n")

        for s in c.sequencers:
            c.kill(s)
            c.data(s).rename(c.dir / f"kept-{s}")
            c.start(s)
        wait_for("sequencers with empty directories elect a leader", lambda: roles(c))
        # its id might be that of log a, b or c
        refused = c.run("logs", "create", "new", check=False)
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
