#!/usr/bin/env python3
"""Nodes and clients that know each other by name: a name that does not resolve yet, a name whose
address changes while everything runs, and names with several addresses of which some refuse or
stay silent.
Every process has a mount namespace with its own /etc/hosts."""

import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time

from cluster import Cluster, check

OWN = ["unshare", "--mount", "--propagation", "private", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
MOUNT = 'mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf && shift && exec "$@"'


class Named(Cluster):
    """A cluster whose nodes listen on addresses and are known to all others by name."""

    def __init__(self):
        super().__init__(name="names")
        self.listens = {**self.sequencers, **self.storage}
        self.sequencers = {n: self.by_name(n) for n in self.sequencers}
        self.storage = {n: self.by_name(n) for n in self.storage}
        # no other source of names is asked
        (self.dir / "nsswitch.conf").write_text("hosts: files\n")
        self.hosts = {}

    def by_name(self, node):
        return f"{node}.names:{self.listens[node].split(':')[1]}"

    def say(self, **hosts):
        """Rewrites the hosts files in place, because the bind mounts show these very files."""
        for node, addresses in hosts.items():
            self.hosts[node] = addresses
        with open(self.dir / "hosts", "w") as f:
            f.write("".join(f"{a} {node}.names\n" for node, addresses in self.hosts.items() for a in addresses))

    def move(self, node, address):
        self.listens[node] = f"{address}:{self.listens[node].split(':')[1]}"

    def inside(self, name):
        return [*OWN, "sh", "-c", MOUNT, "sh", self.dir]

    def command(self, name):
        words = super().command(name)
        words[words.index("--listen") + 1] = self.listens[name]
        return words


def state_of(c, node):
    """The node's state, or None if the cluster has never heard of the node."""
    return next((n["state"] for n in c.status()["storage"] if f"node{n['id']}" == node), None)


def wait_for(what, test, timeout=60):
    deadline = time.monotonic() + timeout
    while not test():
        check(time.monotonic() < deadline, f"{what} within {timeout} s")
        time.sleep(0.2)


def permitted():
    with tempfile.TemporaryDirectory() as d:
        for name in ("hosts", "nsswitch.conf"):
            (pathlib.Path(d) / name).write_text("")
        r = subprocess.run([*OWN, "sh", "-c", MOUNT, "sh", d, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return r.stderr.strip() if r.returncode != 0 else None


def main():
    if (why := permitted()) is not None:
        print(f"names: left out, no mount namespace of one's own is permitted here ({why})")
        return
    c = Named()
    # A listener whose queue is full: a dial hears nothing, as from a machine that has gone.
    port = int(c.listens["node1"].split(":")[1])
    c.move("node1", "127.0.0.9")
    c.move("seq1", "127.0.0.9")
    with socket.socket() as silent, socket.socket() as first:
        silent.bind(("127.0.0.1", port))
        silent.listen(0)
        first.connect(("127.0.0.1", port))
        # The first addresses of these names refuse or stay silent. The resolver prefers addresses
        # that are most like the address it comes from.
        c.say(seq1=["127.0.0.1", "127.0.0.9"], seq2=["127.0.0.1"], seq3=["127.0.0.1"],
              node1=["127.0.0.1", "127.0.0.2", "127.0.0.9"], node2=["127.0.0.1"])
        with c:
            c.create("early", "--replicas", "2")
            c.run("append", "early", input=b"one\ntwo\n")
            check(state_of(c, "node1") == "up" and state_of(c, "node2") == "up", "names with several addresses are reached")
            check(state_of(c, "node3") is None, "a name that nobody knows is no node yet")
            check(re.search(r"node3\.names:\d+: .*the name is not found", c.log_of(c.leader())), "the leader says that the name is unknown")

            c.say(node3=["127.0.0.1"])
            wait_for("a name that is known now is reached", lambda: state_of(c, "node3") == "up")
            c.create("events")
            c.run("append", "events", input=b"one\ntwo\n")

            c.kill("node3")
            c.move("node3", "127.0.0.3")
            c.start("node3")
            c.say(node3=["127.0.0.3"])
            wait_for("a node is reached where its name points now", lambda: state_of(c, "node3") == "up")

            leader = c.leader()
            c.kill(leader)
            c.move(leader, "127.0.0.4")
            c.start(leader)
            c.say(**{leader: ["127.0.0.4"]})
            c.kill("node2")  # so node 3 must take part
            c.run("append", "events", input=b"three\n")
            wait_for("a sequencer is reached where its name points now",
                     lambda: all(s["role"] != "unreachable" for s in c.status()["sequencers"]))
            check(c.run("read", "events").stdout == b"one\ntwo\nthree\n", "all three entries are there")
    print("names: ok")


if __name__ == "__main__":
    main()
