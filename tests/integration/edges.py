#!/usr/bin/env python3
"""Edge cases on real processes: sizes at the limits, garbage or silence on a connection, a wrong
cluster, a directory in use, a sequencer that runs twice, a damaged segment, the first line of a
node's log. The expected answers are those of the specification."""

import os
import pathlib
import random
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time

from cluster import BIN, Cluster, check, free_ports

LARGEST = 16_777_215


def sizes(c):
    c.create("sizes")
    with tempfile.TemporaryDirectory() as d:
        d = pathlib.Path(d)
        (d / "empty").write_bytes(b"")
        (d / "largest").write_bytes(os.urandom(LARGEST))
        (d / "over").write_bytes(bytes(LARGEST + 1))
        out = c.run("append", "sizes", "--file", d / "empty", "--file", d / "largest", timeout=120).stdout.split()
        check(len(out) == 2, f"two offsets expected, got {out}")
        refused = c.run("append", "sizes", "--file", d / "over", check=False)
        check(refused.returncode != 0 and b"16777215" in refused.stderr, f"the refusal names the limit: {refused.stderr}")
        back = c.run("read", "sizes", "--format", "raw", timeout=120).stdout
        check(back == (d / "largest").read_bytes(), "the empty and the largest entry come back, byte for byte")


def garbage(c):
    c.create("garbage")
    for address in [*c.sequencers.values(), *c.storage.values()]:
        host, port = address.split(":")
        for payload in (os.urandom(4096), b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\x01\x01\x00\x00\xff\xff\xff\xff" + bytes(8)):
            with socket.create_connection((host, int(port)), timeout=5) as s:
                s.sendall(payload)
                s.shutdown(socket.SHUT_WR)
                s.settimeout(10)
                while s.recv(65536):
                    pass
    out = c.run("append", "garbage", input=b"still works\n").stdout.split()
    check(len(out) == 1, "the cluster serves on")


def client_hello():
    """The first bytes that a client sends: its hello."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        p = subprocess.Popen([str(BIN / "loglog"), "status", "--cluster", address],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with server.accept()[0] as s:
                s.settimeout(20)
                return s.recv(65536)
        finally:
            p.kill()
            p.wait()


def silence(c):
    """Z14, W6: a node closes a connection that it accepted and that has not said its whole hello
    within 5 s. Without the deadline, anybody could keep connections of a node for ever."""
    hello = client_hello()
    begin = time.monotonic()
    open_ends = {}
    for name, address in [*c.sequencers.items(), *c.storage.items()]:
        host, port = address.split(":")
        for said in (b"", hello[:-1]):
            s = socket.create_connection((host, int(port)), timeout=5)
            s.sendall(said)
            open_ends[s] = f"{name}, {len(said)} bytes said"
    closed = {}
    try:
        while open_ends:
            left = begin + 15 - time.monotonic()
            check(left > 0, f"open after 15 s without a hello: {open_ends.values()}")
            for s in select.select(list(open_ends), [], [], left)[0]:
                # The node's own hello comes first, then the end.
                if not s.recv(65536):
                    closed[open_ends.pop(s)] = time.monotonic() - begin
                    s.close()
    finally:
        for s in open_ends:
            s.close()
    check(len(closed) == 2 * (len(c.sequencers) + len(c.storage)),
          f"each node closes both connections: {closed}")
    check(min(closed.values()) >= 3, f"a hello has time to come: {closed}")
    c.create("silence")
    out = c.run("append", "silence", input=b"still works\n").stdout.split()
    check(len(out) == 1, "the cluster serves on")


def banners(c):
    """C: the first line of a node has its time and its level like all others. A log level above
    info leaves the line out."""
    for name in [*c.sequencers, *c.storage]:
        kind, number = ("sequencer", name[3:]) if name in c.sequencers else ("storage", name[4:])
        first = c.log_of(name).splitlines()[0]
        start = rf"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z info {kind} {number}: "
        check(re.match(f"{start}id {number}, cluster test, listen ", first), first)
    usual = c.command
    c.command = lambda name: [*usual(name), "--log-level", "warning"]
    for name in ("node3", next(s for s in c.sequencers if s != c.leader())):
        before = len(c.log_of(name))
        c.kill(name)
        c.start(name)
        wait_answer({**c.sequencers, **c.storage}[name])
        check(" info " not in c.log_of(name)[before:], f"{name}: {c.log_of(name)[before:]}")
    c.command = usual


def wait_answer(address, timeout=20):
    """Waits until a node that was started takes connections."""
    host, port = address.split(":")
    deadline = time.monotonic() + timeout
    while True:
        try:
            return socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            check(time.monotonic() < deadline, f"{address} takes connections")
            time.sleep(0.05)


def wrong_cluster(c):
    port = c.storage["node1"]
    with tempfile.TemporaryDirectory() as d:
        p = subprocess.Popen([str(BIN / "loglog-sequencer"), "--id", "1", "--cluster-name", "another", "--listen", "127.0.0.1:0", "--data", d,
                              "--sequencers", "1=127.0.0.1:1", "--storage", f"1={port}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(1.5)
        p.terminate()
        _, err = p.communicate(timeout=20)
        check(b"another" in err and b"test" in err, f"both names are said: {err.decode(errors='replace')[-500:]}")


def directory_in_use(c):
    command = [str(x) for x in c.command("node1")]
    command[command.index("--listen") + 1] = "127.0.0.1:0"
    r = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
    check(r.returncode == 3, f"exit code 3 expected, got {r.returncode}: {r.stderr}")
    check(b"in use" in r.stderr, r.stderr)


def sequencer_twice(c):
    """F11, Z5: a second process runs under a sequencer's id, on a copy of its directory. The cluster
    refuses the second process and tells where the first is, whichever id that is: the leader's own
    and the highest are told of by the storage nodes."""
    for name in sorted({"seq1", c.leader(), "seq3"}):
        number, address = int(name.removeprefix("seq")), c.sequencers[name]
        copy = c.dir / f"copy of {name}"
        shutil.copytree(c.data(name), copy)
        command = [str(x) for x in c.command(name)]
        command[command.index("--listen") + 1] = f"127.0.0.1:{free_ports(1)[0]}"
        command[command.index("--data") + 1] = str(copy)
        told = f"A second process runs as sequencer {number}, and is refused."
        todo = f"Stop the one that is not at {address}: "
        p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 30
            alarm = None
            while alarm is None:
                alarms = c.status()["alarms"]
                check(p.poll() is None, f"the second process of {name} runs")
                check(time.monotonic() < deadline, f"the second process of {name} is told of: {alarms}")
                alarm = next((a for a in alarms if a["what"] == told), None)
            check((alarm["id"], alarm["severity"]) == ("sequencer-twice", "critical"), alarm)
            check(alarm["action"].startswith(todo), alarm)
            text = c.run("status").stdout.decode()
            check(f"critical {told}\n         {todo}" in text, text)
        finally:
            p.kill()
            p.wait()
    out = c.run("append", "sizes", "--file", "/dev/null").stdout.split()
    check(len(out) == 1, "the cluster serves on")


def damaged_segment(c):
    c.create("rot", "--segment-size", 1 << 20)
    lines = b"".join(b"%d:" % i + b"r" * 500 + b"\n" for i in range(3000))
    c.run("append", "rot", input=lines)
    c.wait_identical("rot")
    log = max(c.segments("node2"), key=lambda p: int(p.parts[0])).parts[0]
    c.kill("node2")
    first = min(p for name, p in c.segments("node2").items() if name.parts[0] == log)
    with open(first, "r+b") as f:
        f.seek(4096 + 20_000)
        byte = f.read(1)
        f.seek(4096 + 20_000)
        f.write(bytes([byte[0] ^ 0x40]))
    c.start("node2")
    for _ in range(3):  # readers rotate over the replicas, and each must give the right bytes
        check(c.run("read", "rot", "--format", "lines").stdout == lines, "a reader saw damaged bytes")


def main():
    random.seed(1)
    with Cluster() as c:
        for test in (sizes, garbage, silence, banners, wrong_cluster, directory_in_use,
                     sequencer_twice, damaged_segment):
            begin = time.monotonic()
            test(c)
            print(f"{test.__name__}: ok in {time.monotonic() - begin:.1f} s")


main()
