#!/usr/bin/env python3
"""All sequencers are started with older directories (F10c, T2). The storage nodes refuse their
leader, so no log id is given out a second time. Status says so and what to do, and with the newest
directories back nothing is lost."""

import json
import shutil
import time

from cluster import Cluster, check


def exchange_directories(c, kept_as, put_back):
    """Stops the sequencers, keeps their directories under one name, and starts them with those that
    are kept under the other."""
    for s in c.sequencers:
        c.kill(s)
    for s in c.sequencers:
        c.data(s).rename(c.dir / f"{kept_as}-{s}")
        shutil.copytree(c.dir / f"{put_back}-{s}", c.data(s))
    for s in c.sequencers:
        c.start(s)


def status(c):
    """The status, also of a cluster that does not serve, for which `loglog status` exits with 1."""
    answer = c.run("status", "--json", check=False).stdout
    return json.loads(answer) if answer else {}


def refusing(told):
    """Numbers of the storage nodes that refuse the leader."""
    return [n["id"] for n in told.get("storage", []) if n["state"] == "refuses_leader"]


def main():
    with Cluster() as c:
        c.create("before")
        c.run("append", "before", input=b"one\n")
        exchange_directories(c, "old", "old")
        lines = {}
        for i in range(4):
            lines[f"log{i}"] = b"".join(b"%d of log%d\n" % (k, i) for k in range(20))
            c.create(f"log{i}")
            c.run("append", f"log{i}", input=lines[f"log{i}"])
        # A new leader raises the term, as in any cluster that has run for a while.
        c.kill(first := c.leader())
        c.run("append", "before", "--timeout", 30, input=b"two\n")
        c.start(first)
        c.wait_whole(["before", *lines])

        exchange_directories(c, "newest", "old")
        deadline = time.monotonic() + 60
        told = {}
        while refusing(told) != [1, 2, 3]:
            check(time.monotonic() < deadline, f"all storage nodes refuse the leader: {told}")
            told = status(c)
        check(told["health"] == "not_serving", told["health"])
        alarms = [a for a in told["alarms"] if a["id"] == "node-refuses-leader"]
        check(len(alarms) == 3 and {a["severity"] for a in alarms} == {"critical"}, alarms)
        check("put back their newest directories" in alarms[0]["action"], alarms[0])
        check("node-unreachable" not in {a["id"] for a in told["alarms"]}, "a node that refuses is not called unreachable")
        for name in c.storage:
            check("the sequencers have gone back" in c.log_of(name), f"{name} says so itself")
        r = c.run("append", "before", "--timeout", 4, input=b"to the old leader\n", check=False)
        check(r.returncode != 0 and not r.stdout, "nothing is acknowledged")
        r = c.run("logs", "create", "fresh", check=False)
        check(r.returncode != 0, "no log is made, whose id might be that of another log")

        exchange_directories(c, "back", "newest")
        c.wait_whole(["before", *lines])
        c.run("append", "before", "--timeout", 30, input=b"three\n")
        check(c.run("read", "before", "--format", "lines").stdout == b"one\ntwo\nthree\n", "nothing of the first log is lost")
        for name, written in lines.items():
            check(c.run("read", name, "--format", "lines").stdout == written, f"{name} is whole")
    print("older_sequencers: ok")


main()
