#!/usr/bin/env python3
"""A cluster is raised under load (T7, decision 0012). All six nodes are upgraded to programs of
record version 2, and one goes back. The raise is refused while a program is old or away, and the
refusal names it. After the raise an older program ends with exit code 5 on each directory, and all
data are whole.
The programs of record version 2 are the same programs with another wire/protocol_versions.cpp."""

import json
import signal
import subprocess

from cluster import BIN, Cluster, check, until
from recorded_load import LOG, RecordedLoad

RAISED = BIN / "raised"  # reads records up to version 2
FORMAT, VERSION = 4, 29  # places of two bytes in the file `identity`


def run(c, programs, *args):
    return subprocess.run([str(a) for a in [programs / "loglog", *args, "--cluster", c.addresses()]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def raise_to(c, version, programs=RAISED):
    """Exit code and stderr of `loglog cluster raise`."""
    r = run(c, programs, "cluster", "raise", version)
    return r.returncode, r.stderr.decode()


def cluster_version(c, programs=RAISED):
    r = run(c, programs, "status", "--json")
    check(r.returncode == 0, f"status answers: {r.stderr}")
    return json.loads(r.stdout).get("cluster_version")


def refused(c, version, *words, absent=(), programs=RAISED):
    """The raise is refused; the sentence holds the words, and none of those that must be absent.
    What a process reads is known a second after its start, so the command is repeated."""
    said = []

    def is_refused():
        code, text = raise_to(c, version, programs)
        said.append(text)
        check(code == 1, f"the raise to {version} is refused, not {code}: {text}")
        return all(w in text for w in words) and not any(w in text for w in absent)

    until(is_refused, lambda: f"the refusal says {words} and not {absent}: {said[-1]}", timeout=30)
    return said[-1]


def named_version(c, name):
    identity = (c.data(name) / "identity").read_bytes()
    return identity[VERSION] if identity[FORMAT] == 3 else 1


def called(name):
    """The name of a node in sentences."""
    return f"{'sequencer' if name.startswith('seq') else 'storage node'} {name[-1]}"


def ends_with_5(c, name):
    """An older program on the node's directory."""
    c.programs[name] = BIN
    before = (c.data(name) / "identity").read_bytes()
    ended = subprocess.run([str(w) for w in c.command(name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
    text = ended.stderr.decode(errors="replace")
    check(ended.returncode == 5, f"an older program as {name} ends with 5, not {ended.returncode}: {text}")
    for word in ("records here are of version 2", "reads up to version 1", "start the program that ran here before"):
        check(word in text, f"'{word}' is said: {text}")
    check((c.data(name) / "identity").read_bytes() == before, "it changes nothing")
    c.programs[name] = RAISED


def before_the_raise(c, load, order):
    code, text = raise_to(c, 2, BIN)
    check(code == 1 and "protocol version 2, and a raise needs 4" in text, f"an older command says what is missing: {text}")
    half = order[:4]  # with the first of the sequencers that follow
    load.roll(RAISED, half)
    # The leader is of the older version: no program can ask it.
    code, text = raise_to(c, 2)
    check(code == 1 and "protocol version 2, and a raise needs 4" in text, f"an older leader does not know the request: {text}")
    load.roll(BIN, [half[0], half[3]])
    check(named_version(c, half[0]) == named_version(c, half[3]) == 1, "the way back leads to the older form")
    load.roll(RAISED, [half[0], *order[4:], half[3]])
    until(lambda: cluster_version(c) == 1, "the leader tells the version", timeout=30)


def refusals(c, load):
    text = refused(c, 3, "version 3 is above 2")
    check("upgrade all programs first" in text, text)
    # A node is away, and then comes back as an older program.
    c.kill("node2", signal.SIGTERM)
    refused(c, 2, "storage node 2 is not connected", absent=("storage node 1", "storage node 3", "sequencer"))
    c.programs["node2"] = BIN
    c.start("node2")
    c.wait_whole([LOG])
    refused(c, 2, "storage node 2 reads up to version 1")
    follower = next(s for s in c.sequencers if s != c.leader())
    c.kill(follower, signal.SIGTERM)
    refused(c, 2, f"{called(follower)} is not connected", "storage node 2 reads up to version 1")
    c.programs[follower] = BIN
    c.start(follower)
    c.wait_whole([LOG])
    refused(c, 2, f"{called(follower)} reads up to version 1")
    check(cluster_version(c) == 1, "nothing was raised")
    load.roll(RAISED, ["node2", follower])


def main():
    with Cluster() as c:
        c.create(LOG, "--segment-size", 1 << 20)
        with RecordedLoad(c) as load:
            load.wait_for_appends()
            leader = c.leader()
            order = [*c.storage, *(s for s in c.sequencers if s != leader), leader]
            before_the_raise(c, load, order)
            refusals(c, load)
            until(lambda: raise_to(c, 2)[0] == 0, lambda: f"the cluster is raised: {raise_to(c, 2)}", timeout=30)
            load.wait_for_appends(more=10)
            check(cluster_version(c) == 2, "the status tells the version")
            check(raise_to(c, 2)[0] == 0 and raise_to(c, 1)[0] == 0, "a repeat is harmless")
            until(lambda: all(named_version(c, n) == 2 for n in order), "every directory names the version", timeout=30)
            for name in order:
                c.kill(name, signal.SIGKILL)
                ends_with_5(c, name)
                c.start(name)
                c.wait_whole([LOG])
                load.wait_for_appends(more=10)
            r = run(c, RAISED, "logs", "create", "later")
            check(r.returncode == 0, f"a log is made in the new version: {r.stderr}")
            c.kill("node1", signal.SIGKILL)
            c.start("node1")
            c.wait_whole([LOG, "later"])
            c.run("logs", "delete", "later")
            check(cluster_version(c) == 2, "the version stays")
            history, _ = load.finish()
    print(f"raised cluster: {len(history.appends)} appends, all committed, from version 1 to 2")


main()
