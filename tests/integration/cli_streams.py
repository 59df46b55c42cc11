#!/usr/bin/env python3
"""The command line and the process around it: output that cannot be written, closed descriptors,
Ctrl-C, input that fails half way, addresses at which nothing answers."""

import base64
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from cluster import BIN, Cluster, check, free_ports

LOGLOG = str(BIN / "loglog")


def output_is_full(c):
    """Full output gives exit code 1 and a sentence, never 0 and never an abort (F02)."""
    c.create("full")
    c.run("append", "full", input=b"one\ntwo\nthree\n")
    c.wait_whole(["full"])  # the append is acknowledged by two nodes: the third one's file may be missing still
    segment = next(iter(c.segments("node1").values()))
    commands = [c.command_line(*a) for a in (
        ["tail", "full"], ["logs", "list"], ["logs", "describe", "full"], ["status"], ["status", "--json"], ["verify", "full"], ["read", "full"],
        ["read", "full", "--format", "json"], ["follow", "full", "--count", "3"], ["follow", "full", "--count", "3", "--format", "json"],
        ["append", "full"], ["append", "full", "--format", "lines", "--file", "/etc/hostname"], ["bench", "append", "--seconds", "0.2"])]
    commands += [[LOGLOG, *a] for a in (["inspect", str(segment)], ["inspect", "--entries", str(segment)], ["man"], ["completions", "bash"],
                                        ["--help"], ["status", "--help"], [])]
    with open("/dev/full", "wb") as full:
        for command in commands:
            r = subprocess.run(command, input=b"x\ny\n", stdout=full, stderr=subprocess.PIPE, timeout=60)
            check(r.returncode == 1 and b"standard output cannot be written: No space left" in r.stderr, f"{command[1:3]}: {r.returncode} {r.stderr}")
    # Commands that run until they are stopped must end as well, though nobody reads them and
    # SIGPIPE is ignored.
    for command in (["follow", "full"], ["append", "full"], ["status", "--watch", "0.2"]):
        p = c.popen(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
        p.stdout.close()
        if command[0] == "append":
            p.stdin.write(b"x\n" * 3)
            p.stdin.flush()  # stdin stays open
        check(p.wait(timeout=30) == 1 and b"Broken pipe" in p.stderr.read(), f"{command}: {p.returncode}")
        p.stdin.close()
        p.stderr.close()


def descriptors_are_closed(c):
    for closed, ok in (("<&-", True), (">&-", False), ("2>&-", True), ("<&- 2>&-", True)):
        command = f"exec {' '.join(c.command_line('tail', 'full'))} {closed}"
        r = subprocess.run(["bash", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
        check(r.returncode == (0 if ok else 1), f"tail {closed}: {r.returncode} {r.stderr}")
    r = subprocess.run(["bash", "-c", f"exec {' '.join(c.command_line('append', 'full'))} <&-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    check(r.returncode == 1 and b"cannot be read" in r.stderr, f"append <&-: {r}")


def without_loss(c):
    """Any bytes pass from log to log without loss."""
    c.create("binary")
    with tempfile.TemporaryDirectory() as d:
        d = pathlib.Path(d)
        for name, data in (("a", b"two\nlines\n"), ("b", b""), ("c", bytes(range(256))), ("d", b"\n")):
            (d / name).write_bytes(data)
        c.run("append", "binary", *[a for name in "abcd" for a in ("--file", d / name)])
        (d / "e").write_bytes(b"from stdin\n\0")
        c.run("append", "binary", "--file", "-", input=(d / "e").read_bytes())
    exported = c.run("read", "binary", "--format", "json").stdout
    results = [json.loads(line) for line in c.run("append", "copy", "--create", "--format", "json", input=exported).stdout.splitlines()]
    check([(r["line"], r["outcome"]) for r in results] == [(i, "committed") for i in range(1, 6)], results)
    payloads = [[json.loads(line)["bytes"] for line in text.splitlines()] for text in (exported, c.run("read", "copy", "--format", "json").stdout)]
    check(payloads[0] == payloads[1] and len(payloads[0]) == 5, payloads)
    bad = c.run("append", "copy", "--format", "json", input=exported + b"no json\n", check=False)
    check(bad.returncode == 1 and b"line 6: the line is no JSON object" in bad.stderr and len(bad.stdout.splitlines()) == 5, bad)


def stops_at_the_first(c):
    """After a refused line the command reads no further. It names the line in a single sentence."""
    c.create("holes")
    c.run("logs", "fence", "holes", "5")
    lines = b"".join(b"line %d\n" % i for i in range(1, 121))
    p = c.popen("append", "holes", "--fence", "4", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(b"first\n")
    p.stdin.flush()  # stdin stays open: the command must end by itself
    check(p.wait(timeout=30) == 1, "it ends at the first line that is refused")
    said = p.stderr.read().decode()
    check("line 1: " in said and "0 committed, 1 refused, the first at line 1" in said, said)
    p.stdin.close()
    p.stdout.close()
    p.stderr.close()
    r = c.run("append", "holes", "--fence", "4", "--keep-going", input=lines, check=False)
    said = r.stderr.decode().splitlines()
    check(len(said) == 2 and said[1] == "loglog: 0 committed, 120 refused, the first at line 1", f"one sentence a cause, and the sum: {said}")
    r = c.run("append", "holes", "--fence", "4", "--format", "json", "--keep-going", input=b'{"bytes": "eA=="}\n', check=False)
    result = json.loads(r.stdout)
    check(result["line"] == 1 and result["outcome"] == "refused" and result["code"] == "producer_fenced", result)
    # A packed entry takes no token. It must not go in without the token that the command names.
    packed = json.dumps({"bytes": base64.b64encode(struct.pack("<II", 1, 1) + b"x").decode(), "packed": True}).encode() + b"\n"
    r = c.run("append", "holes", "--fence", "5", "--format", "json", input=packed, check=False)
    check(r.returncode == 1 and b"line 1: an entry of a batch cannot be appended with a fencing token" in r.stderr and not r.stdout, r)


def interrupt(command, times=1, wait=1.0, **kw):
    """Sends SIGINT to the command. Returns the time that it takes to end, and its output."""
    p = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    time.sleep(wait)
    check(p.poll() is None, f"{command[1:3]} runs: {p.returncode}")
    begin = time.monotonic()
    for _ in range(times):
        p.send_signal(signal.SIGINT)
        time.sleep(0.1)
    out, err = p.communicate(timeout=60)
    return time.monotonic() - begin, p.returncode, out, err.decode()


def ctrl_c(c):
    """A command that waits for a cluster ends promptly on Ctrl-C; append reports how much is done.
    """
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)  # takes connections and sends nothing
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        for command in (["read", "x"], ["follow", "x"], ["append", "x"], ["verify", "x"], ["tail", "x"], ["logs", "list"], ["status"], ["nodes", "replace-disk", "1"]):
            took, code, _, said = interrupt([LOGLOG, *command, "--cluster", address, "--timeout", "60"], stdin=subprocess.DEVNULL)
            check(took < 4 and code not in (0, -6), f"{command}: {took:.1f} s, {code}, {said}")
    c.create("stuck")
    for name in c.storage:
        c.running[name].send_signal(signal.SIGSTOP)
    try:
        for times, most in ((1, 6), (2, 3)):
            with tempfile.TemporaryFile() as two:
                two.write(b"one\ntwo\n")
                two.seek(0)
                command = [str(a) for a in c.command_line("append", "stuck")]
                took, code, _, said = interrupt(command, times, stdin=two)
            check(took < most, f"{times} SIGINT: {took:.1f} s")
            if times == 1:
                check(code == 1 and "interrupted: 0 committed, " in said and "the first at line 1" in said, f"{code} {said}")
            else:
                check(code == -signal.SIGINT, f"the second ends it at once: {code}")
    finally:
        for name in c.storage:
            c.running[name].send_signal(signal.SIGCONT)


def addresses():
    """An address that cannot exist, an unknown name and a server that is no LogLog are each named
    with the cause, within seconds."""
    port = free_ports(1)[0]
    for wrong in ("[::1", "[]:7070", "http://127.0.0.1:7070", " 127.0.0.1:7070", "::1:7070", "host", ":7070"):
        r = subprocess.run([LOGLOG, "status", "--cluster", wrong], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
        check(r.returncode != 0 and b"give HOST:PORT" in r.stderr, f"{wrong}: {r}")

    def says(address, *words):
        for command in ("status", "tail x", "logs list"):
            begin = time.monotonic()
            r = subprocess.run([LOGLOG, *command.split(), "--cluster", address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
            took = time.monotonic() - begin
            check(r.returncode == 1 and took < 5, f"{command} at {address}: {r.returncode} after {took:.1f} s")
            for word in words:
                check(word in r.stderr.decode(), f"{command} at {address}: {r.stderr}")

    says(f"127.0.0.1:{port}", f"127.0.0.1:{port}: connection refused")
    says(f"127.0.0.1:{port},127.0.0.1:1", f"127.0.0.1:{port}: connection refused", "127.0.0.1:1: connection refused")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            while True:
                try:
                    s, _ = server.accept()
                except OSError:
                    return
                with s:
                    s.recv(1024)
                    s.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        says(f"127.0.0.1:{server.getsockname()[1]}", "does not speak LogLog")
        server.shutdown(socket.SHUT_RDWR)


def usage(c):
    """A wrong usage gives exit code 2 and a sentence that helps."""
    for command, word in ((["stauts"], "did you mean status?"), (["logs"], "needs a command"), (["read", "x", "--count", "-1"], "--count"),
                          (["bench", "append", "--in-flight", "0"], "--in-flight"), (["logs", "create", "x", "--retention-bytes", "1Gb"], "1GiB"),
                          (["append", "x", "--timeout", "never"], "seconds")):
        r = subprocess.run([LOGLOG, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
        check(r.returncode == 2 and word in r.stderr.decode() and r.stderr.startswith(b"loglog: "), f"{command}: {r}")
    r = subprocess.run([LOGLOG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
    check(r.returncode == 0 and b"Usage: loglog" in r.stdout and r.stderr == b"", "alone it prints help")
    before = subprocess.run([LOGLOG, "--cluster", c.addresses(), "tail", "full"], stdout=subprocess.PIPE, check=True, timeout=20).stdout
    check(before == c.run("tail", "full").stdout, "--cluster stands before the command too")
    check(json.loads(c.run("tail", "full", "--json").stdout)["committed"] == int(before), "tail --json")

    begin = time.monotonic()
    r = c.run("logs", "create", "wide", "--replicas", "4", check=False)
    check(r.returncode == 1 and b"4 replicas are asked for, and the cluster has 3 storage nodes" in r.stderr and time.monotonic() - begin < 5, r)
    r = c.run("logs", "delete", "nolog", check=False)
    check(r.returncode == 1 and b"no log has the name nolog" in r.stderr and b"create" not in r.stderr, r)
    c.create("empty")
    r = c.run("verify", "empty")
    check(b"nothing was compared" in r.stdout, r)
    rows = c.run("logs", "list").stdout.decode().splitlines()
    check(rows[0].split() == ["LOG", "ID", "SIZE", "NODES", "QUORUM", "SEGMENT", "RETENTION"], rows[0])
    check(any(row.split()[0] == "full" and row.split()[3] in ("B", "KiB") for row in rows[1:]), rows)


def main():
    addresses()
    with Cluster() as c:
        for test in (output_is_full, descriptors_are_closed, without_loss, stops_at_the_first, usage, ctrl_c):
            begin = time.monotonic()
            test(c)
            print(f"{test.__name__}: ok in {time.monotonic() - begin:.1f} s")


main()
