#!/usr/bin/env python3
"""Retention by bytes and by age (R5) on real processes: every node's disk stays bounded while far
more is appended, an idle log's old entries go, and `logs set` changes the retention.
Reading from a point in time (R6) misses nothing that was appended since."""

import datetime
import json
import time

from cluster import Cluster, check

KIB, MIB = 1 << 10, 1 << 20
SEGMENT = 64 * KIB


def wait(what, condition, timeout=20):
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        check(time.monotonic() < deadline, what() if callable(what) else what)
        time.sleep(0.1)


def details(c, log):
    return json.loads(c.run("logs", "describe", log, "--json").stdout)


def files(c, node, log):
    return sorted((c.data(node) / "logs" / str(log)).glob("*.seg"))


def lines(name, count):
    return b"".join(b"%s %06d %s\n" % (name, i, b"." * 980) for i in range(count))


def append(c, log, payload):
    check(len(c.run("append", log, input=payload).stdout.split()) == payload.count(b"\n"), "every line is acknowledged")


def by_bytes(c):
    c.create("events/bytes", "--segment-size", SEGMENT, "--retention-bytes", "256KiB")
    log = details(c, "events/bytes")
    check(log["retention_bytes"] == 256 * KIB and log["retention_ms"] == 0, f"it is as asked: {log}")
    for round in range(6):
        append(c, "events/bytes", lines(b"round%d" % round, 1024))
        committed = int(c.run("tail", "events/bytes").stdout)
        for node in c.storage:
            # The first file holds the trim point, and the log keeps at most a file more than it
            # needs.
            begins = wait(lambda n=node: f"{n} has files from {[f.stem for f in files(c, n, log['id'])]}, committed is {committed}",
                          lambda n=node: (b := [int(f.stem) for f in files(c, n, log["id"])]) and b[0] > 0 and all(x + 256 * KIB > committed for x in b[1:]) and b)
            check(begins[0] + 256 * KIB <= committed, f"{node} has trimmed too much: {begins}, committed {committed}")
    check(details(c, "events/bytes")["trim"] == begins[0], "the trim point is a segment's begin")
    found = c.run("read", "events/bytes").stdout
    check(len(found) > 200 * KIB and lines(b"round5", 1024).endswith(found[-100 * KIB:]), f"the newest {len(found)} bytes stay")
    check(committed > 6 * MIB, "offsets go on")
    leader = c.leader()
    check("retention trims it" in c.log_of(leader), "the leader says so")

    refused = c.run("logs", "set", "events/bytes", "--retention-bytes", "1KiB", check=False)
    check(refused.returncode == 1 and b"65536" in refused.stderr, f"less than a segment is refused with the limit: {refused.stderr}")
    refused = c.run("logs", "set", "events/bytes", "--retention-age", "soon", check=False)
    check(refused.returncode == 2 and b"soon" in refused.stderr, f"the value is named: {refused.stderr}")


def by_age(c):
    """The log keeps entries that are younger than two seconds, first under load and then idle."""
    log = details(c, "events/bytes")
    c.run("logs", "set", "events/bytes", "--retention-age", "2s")
    check((details(c, "events/bytes")["retention_bytes"], details(c, "events/bytes")["retention_ms"]) == (256 * KIB, 2000), "what is not named stays")
    c.run("logs", "set", "events/bytes", "--retention-bytes", "off")
    check((details(c, "events/bytes")["retention_bytes"], details(c, "events/bytes")["retention_ms"]) == (0, 2000), "off is none")
    wait("what is old goes", lambda: c.run("read", "events/bytes").stdout == b"")
    for node in c.storage:
        wait(lambda n=node: f"one file stays on {n}: {files(c, n, log['id'])}", lambda n=node: len(files(c, n, log["id"])) == 1)
    end = c.run("tail", "events/bytes").stdout
    append(c, "events/bytes", b"one\ntwo\n")
    check(c.run("read", "events/bytes").stdout == b"one\ntwo\n", "what is young stays")
    check(c.run("tail", "events/bytes").stdout != end, "appends go on")
    wait("and goes once it is old", lambda: c.run("read", "events/bytes").stdout == b"")


def point_in_time(c):
    """Also with a fresh leader, whose term start is a point in time as well."""
    c.create("events/times", "--segment-size", SEGMENT)
    for batch in (b"oldest", b"early"):
        append(c, "events/times", lines(batch, 300))
        time.sleep(1.2)
    began = datetime.datetime.now(datetime.timezone.utc)
    append(c, "events/times", lines(b"middle", 300))
    time.sleep(1.2)
    c.kill(c.leader())
    later = datetime.datetime.now(datetime.timezone.utc)
    append(c, "events/times", lines(b"late", 300))
    whole = c.run("read", "events/times").stdout
    check(whole.count(b"\n") == 1200, "all is there")

    def since(at):
        found = c.run("read", "events/times", "--from", at).stdout
        check(whole.endswith(found), f"--from {at} gives the rest of the log")
        return found

    for at, first, before in ((began, b"middle 000000", b"oldest"), (later, b"late 000000", b"early")):
        found = since(at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        check(first in found, f"nothing since {at} is missed")
        check(before not in found, f"from {at} at most a segment more is read, not all since {found[:20]}")
        check(since(at.astimezone().strftime("%Y-%m-%dT%H:%M:%S.%f")) == found, "the same in local time")
    check(since("-1h") == whole, "all is younger than an hour")
    check(since("2001-01-01") == whole, "before the log began is its begin")
    check(since("2100-01-01T00:00:00Z").count(b"\n") <= 300, "after its end is its last point")
    wrong = c.run("read", "events/times", "--from", "yesterday", check=False)
    check(wrong.returncode == 2 and b"yesterday" in wrong.stderr, f"the value is named: {wrong.stderr}")
    follower = c.popen("follow", "events/times", "--from", "-1h", "--count", "1200", stdout=-1)
    check(follower.communicate(timeout=60)[0] == whole, "followers too")


def main():
    with Cluster() as c:
        c.leader()
        for test in (by_bytes, by_age, point_in_time):
            begin = time.monotonic()
            test(c)
            print(f"{test.__name__}: ok in {time.monotonic() - begin:.1f} s")


main()
