#!/usr/bin/env python3
"""`loglog verify`: replicas that agree, a replica that is damaged and repaired, a replica that is
down and comes back, a replica whose first file is gone, a trimmed log, and appends during the run.
"""

import json
import re
import subprocess
import time

from cluster import BIN, Cluster, check

DIFFER, MISSING = 10, 11
# of 1000 bytes: more than a node's memory cache for a log, so the first entries are read from the
# file
ENTRIES = 12_000


def verify(c, log, *options, code=0):
    """Runs the command. Returns the report, and the finding of each replica."""
    result = c.run("verify", log, "--json", *options, check=False, timeout=120)
    text = result.stdout.decode() + result.stderr.decode()
    check(result.returncode == code, f"verify {' '.join(map(str, options))}: exit code {code} expected, got {result.returncode}: {text}")
    report = json.loads(result.stdout) if result.stdout else None
    return report, {r["id"]: r for r in report["replicas"]} if report else text


def same(found, nodes):
    """The nodes hold the same bytes, and at least some."""
    for field in ("verdict", "chain", "content", "entries", "bytes", "end"):
        check(len({found[n][field] for n in nodes}) == 1, f"{field} of {nodes}: {found}")
    one = found[nodes[0]]
    check(one["verdict"] == "agrees" and one["entries"] > 0 and int(one["chain"], 16) and int(one["content"], 16), one)


def healthy(c):
    c.create("log", "--segment-size", 1 << 20)
    lines = b"".join(b"%d:" % i + b"v" * 990 + b"\n" for i in range(ENTRIES))
    c.run("append", "log", input=lines, timeout=120)
    report, found = verify(c, "log")
    same(found, [1, 2, 3])
    check(report["agree"] and report["from"] == 0, report)
    check(found[1]["entries"] == ENTRIES and found[1]["bytes"] == report["until"], found)
    # The chain equals the chain computed from the files frame by frame.
    last = max(c.segments("node1").values())
    told = subprocess.run([str(BIN / "loglog"), "inspect", str(last)], stdout=subprocess.PIPE, timeout=60).stdout.decode().splitlines()[-1]
    check(f"ends at {report['until']} (chain {found[1]['chain']})" in told, f"{told}: {found[1]}")
    text = c.run("verify", "log").stdout.decode()
    check("3 of 3 replicas hold the same bytes" in text and "\x1b" not in text, text)


def usage(c):
    _, text = verify(c, "nothing", code=1)
    check("no log of that name" in text, text)
    _, text = verify(c, "log", "--replicas", "1,9", code=1)
    check("storage node 9 holds no replica of log; nodes 1, 2, 3 do" in text, text)
    _, text = verify(c, "log", "--from", 7, code=1)
    check("no entry begins there" in text, text)
    _, text = verify(c, "log", "--from", 1 << 40, code=1)
    check("committed up to" in text, text)


def damaged(c):
    """A byte is flipped in a file of a running node. The command names the frame until it is
    repaired."""
    offsets = [e["offset"] for e in c.read_all("log", "--count", 100)]
    place = 20_000
    frame = max(o for o in offsets if o <= place)
    after = min(o for o in offsets if o > place)
    file = min(p for name, p in c.segments("node2").items() if int(name.stem) == 0)
    with open(file, "r+b") as f:
        f.seek(4096 + place)
        byte = f.read(1)
        f.seek(4096 + place)
        f.write(bytes([byte[0] ^ 0x40]))
    for _ in range(2):  # looking does not repair it
        _, found = verify(c, "log", code=DIFFER)
        check(found[2]["verdict"] == "damaged" and found[2]["end"] == frame, f"damage at {frame} expected: {found}")
        check(str(frame) in found[2]["why"], found)
        same(found, [1, 3])
    text = c.run("verify", "log", check=False).stdout.decode()
    check("2 of 3 replicas hold the same bytes" in text and "--repair" in text, text)
    _, found = verify(c, "log", "--from", after)
    same(found, [1, 2, 3])
    _, found = verify(c, "log", "--replicas", "3,1")
    check(set(found) == {1, 3}, found)
    _, found = verify(c, "log", "--repair")
    same(found, [1, 2, 3])
    check(found[2]["repaired"] == 1 and found[1]["repaired"] == 0, found)
    _, found = verify(c, "log")
    check(found[2]["repaired"] == 0, found)
    c.wait_identical("log")


def meanwhile(c):
    """The range is fixed at the start: appends during the run change nothing."""
    late = c.read_all("log")[-100]["offset"]
    with c.popen("bench", "append", "--log", "log", "--seconds", "3", "--in-flight", "4", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as bench:
        ends = []
        while bench.poll() is None:
            report, found = verify(c, "log", "--from", late)
            check(all(r["verdict"] == "agrees" for r in found.values()), found)
            ends.append(report["until"])
    check(bench.returncode == 0 and len(ends) > 1 and ends == sorted(ends) and ends[0] < ends[-1], ends)


def away(c):
    verify(c, "log")
    c.kill("node3")
    begin = time.monotonic()
    _, found = verify(c, "log", "--patience", 2, code=MISSING)
    check(found[3]["verdict"] == "down" and found[3]["end"] == 0, found)
    same(found, [1, 2])
    check(time.monotonic() - begin < 60, "one that is down does not hold the command up")
    _, found = verify(c, "log", "--replicas", "1,2")
    same(found, [1, 2])
    c.run("append", "log", input=b"while node3 is down\n" * 1000)
    c.start("node3")  # the node comes back behind the others and catches up while it is read
    _, found = verify(c, "log", "--patience", 60)
    same(found, [1, 2, 3])


def first_file_gone(c):
    """F09b, K3: the first segment file of node 2 is removed while the node is down, without a trim.
    The leader has the log copied anew only while a write quorum of other replicas takes orders.
    So the damage stands as long as node 1 is down, and verify must not report that all is well."""
    for name in ("node1", "node2"):
        c.kill(name)
    first = next(p for name, p in c.segments("node2").items() if int(name.stem) == 0)
    first.unlink()
    c.start("node2")
    # The node judges its files when a leader asks for its state, and raises an alarm.
    deadline = time.monotonic() + 30
    while not re.search(r"ALARM .*files are missing below offset \d+", c.log_of("node2")):
        check(time.monotonic() < deadline, f"an alarm names the gap: {c.log_of('node2')[-500:]}")
        time.sleep(0.1)
    for options in ((), ("--repair",)):
        report, found = verify(c, "log", "--replicas", "2,3", "--patience", 2, *options,
                               code=DIFFER)
        check(found[2]["verdict"] == "damaged" and found[2]["end"] == 0, found)
        check("the bytes at offset 0 do not verify" in found[2]["why"], found)
        check(found[2]["repaired"] == 0 and not report["agree"], report)
        same(found, [3])
    check("has not repaired them in 2 s" in found[2]["why"], f"--repair says so: {found}")
    result = c.run("verify", "log", "--patience", 2, check=False)
    text = result.stdout.decode()
    check(result.returncode == DIFFER, f"damage counts above a node that is down: {text}")
    check("replica 2 damaged: the bytes at offset 0 do not verify. " in text, text)
    check("1 of 3 replicas hold the same bytes" in text, text)
    check(not first.exists(), "nothing has mended the damage yet")

    c.start("node1")
    deadline = time.monotonic() + 60
    while True:
        result = c.run("verify", "log", "--patience", 30, check=False, timeout=120)
        text = result.stdout.decode() + result.stderr.decode()
        if result.returncode == 0:
            break
        check(result.returncode in (DIFFER, MISSING), f"{result.returncode} {text}")
        check(time.monotonic() < deadline, f"node 2 is mended once node 1 is back: {text}")
    check("3 of 3 replicas hold the same bytes" in text and first.exists(), text)


def trimmed(c):
    offsets = [e["offset"] for e in c.read_all("log", "--count", 5000)]
    point = int(c.run("logs", "trim", "log", offsets[-1]).stdout)
    report, found = verify(c, "log")
    check(report["from"] == point == offsets[-1], (report["from"], point))
    same(found, [1, 2, 3])
    _, text = verify(c, "log", "--from", 0, code=1)
    check(f"begins at {point}" in text, text)
    c.run("logs", "trim", "log", int(c.run("tail", "log").stdout))
    text = c.run("verify", "log").stdout.decode()
    check("nothing was compared" in text, text)


def main():
    with Cluster() as c:
        for test in (healthy, usage, damaged, away, first_file_gone, meanwhile, trimmed):
            begin = time.monotonic()
            test(c)
            print(f"{test.__name__}: ok in {time.monotonic() - begin:.1f} s")


main()
