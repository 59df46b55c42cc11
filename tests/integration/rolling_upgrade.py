#!/usr/bin/env python3
"""An upgrade of the protocol version under load: each of the six nodes is stopped and started as
the program of the next version, a client of that version joins, and then everything goes back.
Every append is committed.
The programs of the next version are the same programs with another wire/protocol_versions.cpp;
their status has a further field if both sides speak version 3."""

import json
import signal
import subprocess
import time

from cluster import BIN, Cluster, check, until
from recorded_load import LOG, RecordedLoad

NEXT = BIN / "next"  # speaks versions 2 to 3
AFTER = BIN / "after-next"  # speaks version 3 alone


def protocols(c, programs):
    """The versions that each sequencer reports to a client of `programs`; None for a sequencer that
    does not report any."""
    r = subprocess.run([str(programs / "loglog"), "status", "--json", "--cluster", c.addresses()], stdout=subprocess.PIPE, timeout=60, check=True)
    return [s.get("protocol") for s in json.loads(r.stdout)["sequencers"]]


def no_common_version(c):
    """A node of a version that has dropped the first version is refused, as are clients. Both
    sides' versions are named."""
    sentence = "this side speaks versions 2 to 2, the peer 3 to 3"
    c.kill("node3", signal.SIGTERM)
    c.programs["node3"] = AFTER
    c.start("node3")
    until(lambda: all(sentence in c.log_of(s) for s in c.sequencers), f"every sequencer says: {sentence}")
    until(lambda: "this side speaks versions 3 to 3, the peer 2 to 2" in c.log_of("node3"), "the node says so, too")
    check(c.status()["storage"][2]["state"] == "unreachable", "it counts as down")
    said = c.log_of("node1").count(sentence)
    # A node writes one line a second about connections that it closed, and the other nodes are
    # refused too, so the client asks again until a line is its own.
    def refused_and_told():
        r = subprocess.run([str(AFTER / "loglog"), "status", "--cluster", c.storage["node1"]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        check(r.returncode != 0, "a client of such a version is refused")
        return c.log_of("node1").count(sentence) > said

    until(refused_and_told, "the node that refused it says why")
    c.kill("node3", signal.SIGTERM)
    c.programs["node3"] = BIN
    c.start("node3")
    c.wait_whole([LOG])


def main():
    with Cluster() as c:
        c.create(LOG, "--segment-size", 1 << 20)
        with RecordedLoad(c) as load:
            load.wait_for_appends()
            leader = c.leader()
            order = [*c.storage, *(s for s in c.sequencers if s != leader), leader]
            check(protocols(c, NEXT) == [None] * 3, "version 2 does not say what it speaks")
            half = order[:4]  # the first sequencer is among them
            load.roll(NEXT, half)
            upgraded = [3 if s in half else None for s in c.sequencers]
            check(protocols(c, NEXT) == upgraded, f"those of version 3 say so to one of version 3: {protocols(c, NEXT)}, not {upgraded}")
            check(protocols(c, BIN) == [None] * 3, "on a connection of version 2 there is no such field")
            load.roll(NEXT, order[4:])
            check(protocols(c, NEXT) == [3] * 3, "all speak version 3")
            load.record("producer", "next", "--rate", 250, "--in-flight", 64, "--timeout-ms", 60_000, "--bytes-max", 8192, programs=NEXT)
            load.record("follower", "next", programs=NEXT)
            load.wait_for_appends()
            load.roll(BIN, reversed(order))
            check(protocols(c, NEXT) == [None] * 3, "all speak version 2 again")
            no_common_version(c)
            history, _ = load.finish()
    print(f"rolling upgrade: {len(history.appends)} appends, all committed, from version 2 to 3 and back")


main()
