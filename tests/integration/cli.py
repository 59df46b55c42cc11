#!/usr/bin/env python3
"""The command line in a pseudo-terminal, as a person meets it: colours, the watch and the screen
that it leaves behind, progress, files written as a whole."""

import base64
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time

from cluster import BIN, Cluster, check, free_ports

NOT_SERVING = 12
ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"


class Terminal:
    """A command whose stdout, or whose stderr alone, is a terminal with the given columns."""

    def __init__(self, command, columns=100, rows=30, which="all", **environment):
        self.master, slave = pty.openpty()
        # kept open, so that the terminal's settings can be read at the end
        self.slave = os.dup(slave)
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")} | {"TERM": "xterm"} | environment
        out = subprocess.PIPE if which == "stderr" else slave
        self.process = subprocess.Popen(command, stdin=slave, stdout=out, stderr=slave, env=env)
        os.close(slave)
        self.seen = b""

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def pump(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.seen += os.read(self.master, 65536)
        return bool(ready)

    def wait_for(self, condition, what, timeout=30):
        deadline = time.monotonic() + timeout
        while not condition(self.seen):
            check(time.monotonic() < deadline, f"{what}: {self.seen[-3000:]!r}")
            self.pump(0.1)

    def end(self, sig=None, timeout=30):
        """Ends the command. Returns its output and its exit code."""
        if sig is not None:
            self.process.send_signal(sig)
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            check(time.monotonic() < deadline, f"it ends: {self.seen[-1000:]!r}")
            self.pump(0.05)
        while self.pump(0.05):
            pass
        check(termios.tcgetattr(self.slave) == self.before, "the terminal's settings are as before")
        os.close(self.slave)
        os.close(self.master)
        return self.seen, self.process.returncode


def screens(seen):
    """The screens that the redraws showed, as plain lines."""
    return [[re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", line).decode() for line in s.split(b"\r\n")] for s in seen.split(b"\x1b[H")[1:]]


def status_once(c):
    command = c.command_line("status")
    seen, code = Terminal(command).end()
    check(code == 0 and b"\x1b[32mhealthy\x1b[0m" in seen, seen)
    for why, options, environment in (("NO_COLOR", [], {"NO_COLOR": "1"}), ("TERM", [], {"TERM": "dumb"}), ("--color", ["--color", "never"], {})):
        seen, _ = Terminal([*command, *options], **environment).end()
        check(b"healthy" in seen and b"\x1b" not in seen, f"{why} takes colours away: {seen!r}")
    check(b"\x1b" not in c.run("status").stdout, "no colours in a pipe")
    check(b"\x1b[32mhealthy" in c.run("status", "--color", "always").stdout, "but where they are asked for")
    # D: a script finds in the JSON all that a person finds in the text.
    told = c.status()
    served = "appends and reads are served; 1 storage node and 1 sequencer may fail"
    check((told["health"], told["verdict"], told["alarms"]) == ("healthy", served, []), told)
    first = next(l for l in told["logs"] if l["name"] == "first")
    check((first["state"], first["write_quorum"], len(first["replicas"])) == ("open", 2, 3), first)


def watch(c):
    c.create("watched")
    t = Terminal(c.command_line("status", "--watch", "0.3"), columns=100)
    t.wait_for(lambda s: s.count(b"\x1b[H") >= 2, "it is drawn again and again")
    check(t.seen.startswith(ENTER), t.seen[:100])
    offset = int(c.run("append", "watched", input=b"x" * 1000 + b"\n" + b"y" * 1000 + b"\n").stdout.split()[-1])

    def shows(seen):
        lines = [line for screen in screens(seen) for line in screen if line.startswith("watched")]
        return any(int(line.split()[3]) > offset for line in lines) and any(re.search(r"[1-9]\S* [KM]?i?B/s", line) for line in lines)

    t.wait_for(shows, "what is appended shows, with a rate")
    t.resize(40, 6)
    drawn = len(screens(t.seen))
    t.wait_for(lambda s: len(screens(s)) > drawn + 1, "it is drawn after a change of size")
    last = screens(t.seen)[-2]
    check(len(last) <= 6 and max(map(len, last)) <= 40, f"it fits the terminal: {last}")
    check(max(len(line) for line in screens(t.seen)[0]) > 40, "and was wider before")
    seen, code = t.end(signal.SIGINT)
    check(code == 0 and seen.endswith(LEAVE), f"it leaves the terminal as it was: {code} {seen[-100:]!r}")

    p = c.popen("status", "--watch", "0.2", stdout=subprocess.PIPE)
    head = b""
    while head.count(b"cluster test") < 2:
        head += os.read(p.stdout.fileno(), 65536)
    p.send_signal(signal.SIGTERM)
    rest, _ = p.communicate(timeout=20)
    check(p.returncode == 0 and b"\x1b" not in head + rest, "into a pipe it writes one report after the other")
    bad = c.run("status", "--watch", "soon", check=False)
    check(bad.returncode == 2 and b"write seconds" in bad.stderr, bad.stderr)


def progress(c):
    c.create("files")
    with tempfile.TemporaryDirectory() as d:
        d = pathlib.Path(d)
        (d / "a").write_bytes(os.urandom(3_000_000))
        (d / "b").write_bytes(os.urandom(2_000_000))
        whole = (d / "a").read_bytes() + (d / "b").read_bytes()
        files = ("--file", d / "a", "--file", d / "b")
        quiet = c.run("append", "files", *files)
        check(quiet.stderr == b"" and len(quiet.stdout.split()) == 2, f"nothing but offsets into pipes: {quiet}")
        check(json.loads(c.run("logs", "delete", "files", "--json").stdout) == {"log": "files", "deleted": True}, "a delete as JSON")
        c.create("files")
        t = Terminal(c.command_line("append", "files", *files), which="stderr")
        seen, code = t.end()
        check(code == 0 and b"append to files [" in seen and b"of 4.8 MiB" in seen, seen)
        check(len(t.process.stdout.read().split()) == 2, "offsets go to stdout alone")
        t.process.stdout.close()

        out = d / "out"
        out.write_bytes(b"older")
        seen, code = Terminal(c.command_line("read", "files", "--format", "raw", "--output", out)).end()
        check(code == 0 and b"read files [" in seen and seen.endswith(b"\r\x1b[K"), f"a bar, and it goes: {seen[-300:]!r}")
        check(out.read_bytes() == whole, "the file has all bytes")
        check(out.stat().st_mode & 0o777 == 0o666 & ~umask(), f"with the usual mode: {out.stat().st_mode:o}")
        check(c.run("read", "files", "--format", "raw", "--output", out).stderr == b"", "no bar in a pipe")

        failed = c.run("read", "nothing", "--output", out, check=False)
        check(failed.returncode == 1 and out.read_bytes() == whole, "a read that fails leaves the file")
        failed = c.run("read", "files", "--from", "3", "--format", "raw", "--output", out, check=False)
        check(failed.returncode == 1 and out.read_bytes() == whole, f"also one that fails later: {failed}")
        failed = c.run("read", "files", "--output", d / "no" / "folder", check=False)
        check(failed.returncode == 1 and b"no/folder" in failed.stderr, failed)
        check(sorted(p.name for p in d.iterdir()) == ["a", "b", "out"], f"and nothing else stays: {list(d.iterdir())}")

    seen, code = Terminal(c.command_line("bench", "append", "--seconds", "1"), which="stderr").end()
    check(code == 0 and re.search(rb"bench append \[#*-*\] +\d+ %  \d+ entries", seen), seen)
    check(c.run("bench", "append", "--seconds", "0.3").stderr == b"", "no bar in a pipe")
    seen, code = Terminal(c.command_line("verify", "files", "--progress", "always")).end()
    check(code == 0 and b"verify files [" in seen and b"\x1b[32magrees" in seen, seen)


def under_conditions(c):
    """A single writer at a time: at an expected offset (F1), and under a fencing token (F2)."""
    c.create("state")

    def append(*options, text=b"x\n", check=True):
        return c.run("append", "state", *options, input=text, check=check)

    first = int(append("--expected-offset", "0", text=b"a\n").stdout)
    end = int(c.run("tail", "state").stdout)
    check(first < end, f"{first} {end}")
    offsets = [int(o) for o in append("--expected-offset", end, text=b"b\ncc\nd\n").stdout.split()]
    check(len(offsets) == 3 and offsets[0] >= end and offsets == sorted(offsets), f"{offsets} from {end} on")
    late = append("--expected-offset", end, text=b"late\n", check=False)
    check(late.returncode == 1 and late.stdout == b"" and str(end).encode() in late.stderr, f"an entry lies there: {late}")

    looked = c.run("logs", "fence", "state", check=False)
    check(looked.returncode == 2 and b"--take-over" in looked.stderr, f"who only looks stops no writer (A8): {looked}")
    check(json.loads(c.run("logs", "describe", "state", "--json").stdout)["fence"] == 0, "the token is shown without setting one")
    token, end = re.fullmatch(r"token (\d+) end (\d+)\n", c.run("logs", "fence", "state", "--take-over").stdout.decode()).groups()
    check((token, end) == ("1", c.run("tail", "state").stdout.decode().strip()), f"{token} {end}")
    append("--fence", token, "--expected-offset", end, text=b"e\n")
    check(c.run("logs", "fence", "state", "7").stdout.startswith(b"token 7 "), "a token of one's own")
    older = append("--fence", token, text=b"older\n", check=False)
    check(older.returncode == 1 and b"7" in older.stderr, f"an older writer is refused: {older}")
    check(c.run("logs", "fence", "state", "3", check=False).returncode == 1, "a token never goes back")
    check(b" fence 7\n" in c.run("logs", "describe", "state").stdout, "the token in force is shown")
    append(text=b"f\n")
    check(c.run("read", "state").stdout == b"a\nb\ncc\nd\ne\nf\n", "only what was acknowledged is there")


def under_conditions_as_json(c):
    """A3: with --format json an expected offset chains the entries as it does with lines. Each
    entry lies where the entry before it ends, and no other writer's entry lies between."""
    c.create("chain")
    payloads = [b"two\nlines\n", b"", bytes(range(256)), b"last"]

    def line(payload, **more):
        return json.dumps({"bytes": base64.b64encode(payload).decode(), **more}).encode() + b"\n"

    def append(expected, text):
        r = c.run("append", "chain", "--format", "json", "--expected-offset", expected, input=text,
                  check=False)
        return r, [json.loads(told) for told in r.stdout.splitlines()]

    r, told = append(0, b"".join(map(line, payloads)))
    check(r.returncode == 0, r)
    check([(t["line"], t["outcome"]) for t in told] == [(i, "committed") for i in (1, 2, 3, 4)], r)
    read = c.read_all("chain")
    check([t["offset"] for t in told] == [e["offset"] for e in read], f"{told} {read}")
    check([base64.b64decode(e["bytes"]) for e in read] == payloads, read)
    steps = [b["offset"] - a["offset"] - len(p) for a, b, p in zip(told, told[1:], payloads)]
    check(len(set(steps)) == 1 and steps[0] > 0, f"entry behind entry: {told}")

    end = int(c.run("tail", "chain").stdout)
    p = c.popen("append", "chain", "--format", "json", "--expected-offset", end,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(line(b"mine"))
    p.stdin.flush()
    mine = json.loads(p.stdout.readline())
    check(mine["outcome"] == "committed" and mine["offset"] >= end, mine)
    c.run("append", "chain", input=b"another writer's\n")
    out, said = p.communicate(line(b"too late") + line(b"never sent"), timeout=60)
    refused = [json.loads(told) for told in out.splitlines()]
    check(p.returncode == 1 and len(refused) == 1, f"it ends at the first refusal: {out} {said}")
    check((refused[0]["line"], refused[0]["outcome"], refused[0]["code"]) ==
          (2, "refused", "offset_mismatch") and "offset" not in refused[0], refused)
    check(b"1 committed, 1 refused, the first at line 2" in said, said)

    end = int(c.run("tail", "chain").stdout)
    r, told = append(end, line(struct.pack("<II", 1, 1) + b"x", packed=True))
    check(r.returncode == 1 and not told and
          b"line 1: an entry of a batch cannot be appended at an expected offset" in r.stderr, r)
    got = [base64.b64decode(e["bytes"]) for e in c.read_all("chain")]
    check(got == [*payloads, b"mine", b"another writer's"], f"nothing else is there: {got}")


def positions(c):
    """A position beyond a log's end is refused and the end is named. A position of a log that was
    deleted and made again is refused as well."""
    c.create("again", "--segment-size", 65536)
    offsets = c.run("append", "again", input=b"".join(b"%d %s\n" % (i, b"x" * 2000) for i in range(200))).stdout.decode().split()
    end = c.run("tail", "again").stdout.decode().strip()
    kept = c.run("tail", "again", "--position").stdout.decode().strip()
    check(kept.endswith("@" + end), f"a position names the log: {kept}")
    check(c.run("read", "again", "--from", kept).stdout == b"", "it is where the log ends")

    beyond = c.run("logs", "trim", "again", end + "0", check=False)  # a digit too many
    check(beyond.returncode == 1 and f"ends at {end}".encode() in beyond.stderr, f"it is refused with the end: {beyond}")
    check(len(c.run("read", "again").stdout.splitlines()) == 200, "and nothing goes")
    wrong = c.run("logs", "trim", "again", check=False)
    check(wrong.returncode == 2, f"up to where is to be said: {wrong}")
    point = int(c.run("logs", "trim", "again", "--keep-bytes", "100KiB").stdout)
    # A segment holds the run that it begins with, however large, so the next segment may begin
    # later.
    check(0 < point <= int(end) - (100 << 10), f"a segment's begin that leaves as much: {point} of {end}")
    check(int(c.run("logs", "trim", "again", "--keep-bytes", "1GiB").stdout) == point, "what is less than that stays")
    check(int(c.run("logs", "trim", "again", "--before=-1h").stdout) == point, "nothing is as old")
    check(c.run("logs", "trim", "again", end).stdout.decode().strip() == end, "the end itself may be named")

    c.run("logs", "delete", "again")
    c.create("again")
    c.run("append", "again", input=b"new\n")
    for command in ("read", "follow"):
        for position in (offsets[-1], "18446744073709551614"):
            told = c.run(command, "again", "--from", position, check=False)
            check(told.returncode == 1 and b"ends at" in told.stderr, f"{command} --from {position} says where it ends: {told}")
        told = c.run(command, "again", "--from", kept, check=False)
        check(told.returncode == 1 and b"another log" in told.stderr, f"{command} --from {kept} is of another log: {told}")


def guards(c):
    """A command that could do harm asks on a terminal, and needs an option elsewhere."""
    c.create("guarded")
    c.run("append", "guarded", input=b"raw\n")
    seen, code = Terminal(c.command_line("read", "guarded", "--format", "raw")).end()
    check(code == 2 and b"--force" in seen, f"raw bytes to a terminal: {code} {seen!r}")
    seen, code = Terminal(c.command_line("read", "guarded", "--format", "raw", "--force")).end()
    check(code == 0 and b"raw" in seen, f"{code} {seen!r}")
    for answer, wanted in ((b"no\n", 1), (b"yes\n", 0)):
        t = Terminal(c.command_line("logs", "delete", "guarded"))
        t.wait_for(lambda s: b"type yes" in s, "it asks")
        os.write(t.master, answer)
        seen, code = t.end()
        check(code == wanted, f"delete after {answer!r}: {code} {seen!r}")
    check(b"guarded" not in c.run("logs", "list", "--names").stdout, "and it is gone")
    c.create("guarded")
    check(Terminal(c.command_line("logs", "delete", "guarded", "--yes")).end()[1] == 0, "--yes does not ask")


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def status_of(c):
    result = c.run("status", check=False)
    return result.returncode, result.stdout.decode() + result.stderr.decode()


def wait_status(c, code, *words, timeout=30):
    deadline = time.monotonic() + timeout
    while True:
        got, text = status_of(c)
        if got == code and all(w in text for w in words):
            return
        check(time.monotonic() < deadline, f"exit code {code} with {words} expected, got {got}: {text}")
        time.sleep(0.2)


def trouble(c):
    """In trouble, the first line and the exit code name the condition and its consequence."""
    c.run("append", "first", input=b"on all nodes\n")
    c.wait_identical("first")
    c.kill("node3")
    wait_status(c, 0, "degraded: appends and reads go on: storage 3 unreachable; no storage node and 1 sequencer may fail")
    # D: the lag of a replica that cannot be reached is known and shown.
    c.run("append", "first", input=(b"x" * 1000 + b"\n") * 20)
    told = c.status()
    log = next(l for l in told["logs"] if l["name"] == "first")
    away = next(r for r in log["replicas"] if r["id"] == 3)
    lag = log["committed"] - away["durable"]
    check(away["state"] == "unreachable" and away["durable"] > 0 and lag > 20_000, log)
    text = c.run("status").stdout.decode().partition("\nfirst ")[2]
    row = text.splitlines()[3].split()
    shown = ["on", "storage", "3", "unreachable", str(away["durable"]), f"{lag / 1024:.1f}", "KiB",
             "behind"]
    check(row == shown, f"{shown} is shown: {text}")
    # D: verdict and alarms are in the JSON too, each alarm with its action.
    check(told["health"] == "degraded" and "storage 3 unreachable" in told["verdict"], told)
    alarms = {a["id"]: a for a in told["alarms"]}
    for kind in ("node-unreachable", "log-no-spare"):
        check(alarms[kind]["severity"] == "warning" and alarms[kind]["what"], alarms)
        check(alarms[kind]["action"], alarms)
    c.kill("node2")
    wait_status(c, NOT_SERVING, "not serving: appends wait, too few replicas", "1 of 3 replicas, 2 needed")
    check(c.run("status", "--json").returncode == 0, "--json says it itself")
    for name in ("seq1", "seq2"):
        c.kill(name)
    wait_status(c, NOT_SERVING, "not serving: appends wait: no leader, 1 of 3 sequencers are reached and 2 must be")
    c.kill("seq3")
    begin = time.monotonic()
    wait_status(c, NOT_SERVING, "not serving: no sequencer answers this client")
    check(time.monotonic() - begin < 8, "that is said soon")
    c.kill("node1")
    wait_status(c, 1, "loglog: ")


def dev(data, *options, ready=True):
    """Starts `loglog dev` and returns when it serves, or returns its refusal."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    listen = () if "--listen" in options else ("--listen", address)
    p = subprocess.Popen([str(BIN / "loglog"), "dev", "--data", data, *listen, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        if ready:
            check(p.stdout.readline() == f"ready {address}\n".encode(), f"dev {options} serves")
            p.terminate()
        said = p.communicate(timeout=30)[1].decode()
        check((p.returncode == 0) == ready, f"dev {options}: {p.returncode} {said}")
        return said
    finally:
        p.kill()
        p.wait()


def dev_of_another_size():
    """Data of a cluster of another size are refused at once."""
    with tempfile.TemporaryDirectory(prefix="loglog-test-") as d:
        # A start that fails half way leaves no cluster of another size behind.
        with socket.create_server(("127.0.0.1", 0)) as taken:
            said = dev(d, "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--sequencers", "3", ready=False)
            check("address" in said, said)
        dev(d, "--sequencers", "3")
        said = dev(d, ready=False)
        check(f"{d} has the data of 3 sequencers and 1 are to run" in said, said)
        said = dev(d, "--sequencers", "3", "--storage", "2", ready=False)
        check(f"{d} has the data of 3 storage nodes and 2 are to run" in said, said)
        dev(d, "--sequencers", "3", "--storage", "4")


def main():
    dev_of_another_size()
    help_text = subprocess.run([str(BIN / "loglog"), "status", "--help"], stdout=subprocess.PIPE, check=True).stdout.decode()
    check(f"{NOT_SERVING}  not serving" in help_text, help_text)
    with Cluster() as c:
        c.create("first")
        c.wait_identical("first")
        for test in (status_once, watch, progress, under_conditions, under_conditions_as_json,
                     positions, guards, trouble):
            begin = time.monotonic()
            test(c)
            print(f"{test.__name__}: ok in {time.monotonic() - begin:.1f} s")


main()
