#!/usr/bin/env python3
"""Every sample does what its first lines promise, on a cluster of three sequencers and three
storage nodes started by samples/local_cluster.sh."""

import base64
import json
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import time

from cluster import check, free_ports

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLES = pathlib.Path(os.environ.get("LOGLOG_SAMPLES", ROOT / "build/release/bin"))


def run(*command, code=0, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120, **more)
    check(done.returncode == code, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def publish_across_crashes(address, folder):
    """The outbox sample is killed again and again; the log holds every line once, in order (B)."""
    lines = [f"row {i}" for i in range(1, 2001)]
    (folder / "outbox").write_text("".join(f"{line}\n" for line in lines))
    command = [str(SAMPLES / "outbox"), address, "published", str(folder / "outbox")]
    killed = 0
    for i in range(10):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()  # it has taken over and goes on
        time.sleep(0.002 * i)
        process.kill()
        killed += process.wait(timeout=20) != 0
        process.stdout.close()
    check(killed > 0, "no process was killed in the middle")
    check(f"published up to line {len(lines)}" in run(*command), "the last process publishes the rest")
    check(f"goes on behind line {len(lines)}" in run(*command), "a further process finds nothing to do")
    read = run(SAMPLES / "loglog", "read", "published", "--format", "json", "--cluster", address)
    parts = []
    for entry in map(json.loads, read.splitlines()):
        packed = base64.b64decode(entry["bytes"])  # the count, the lengths, then the parts
        (count,) = struct.unpack_from("<I", packed)
        at = 4 + 4 * count
        for length in struct.unpack_from(f"<{count}I", packed, 4):
            parts.append(packed[at:at + length].decode())
            at += length
    check(parts == [f"{i} {line}" for i, line in enumerate(lines, 1)], f"published: {len(parts)} lines, {parts[:3]} … {parts[-3:]}")


def main():
    with tempfile.TemporaryDirectory(prefix="loglog-samples-") as folder:
        port = free_ports(12)[0]
        more = {"env": {**os.environ, "LOGLOG_BIN": str(SAMPLES), "LOGLOG_DIR": folder + "/cluster", "LOGLOG_PORT": str(port)}}
        script = ROOT / "samples/local_cluster.sh"
        address = f"127.0.0.1:{port},127.0.0.1:{port + 1}".split(",")[0]
        try:
            check(f"127.0.0.1:{port}" in run(script, "start", **more), "start prints the address")
            check(run(SAMPLES / "hello_append", address).startswith("committed at "), "hello_append")
            check("hello, log" in run(SAMPLES / "follow_the_log", address, "hello", 1), "follow_the_log")
            two = [
                subprocess.Popen([str(SAMPLES / "replicated_state_machine"), address, "store", name, "200", "400"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for name in ("one", "second")
            ]
            ended = [(p.communicate(timeout=120), p.returncode) for p in two]
            check(all(code == 0 for _, code in ended), f"replicated_state_machine: {ended}")
            states = {out for (out, _), _ in ended}
            check(len(states) == 1 and "after 400 commands" in states.pop(), f"the states differ: {ended}")
            check(run(SAMPLES / "unknown_outcome", address, "orders", "order-1", 10000).startswith("committed "), "unknown_outcome")
            refused = run(SAMPLES / "unknown_outcome", address, "orders", "order-2", 0, code=1)
            check(refused == "", f"no time at all: refused before anything is sent, not {refused}")
            # the deadline is about as long as an append takes, so every ending occurs, and the
            # sample must tell them apart
            for i in range(20):
                done = subprocess.run([str(SAMPLES / "unknown_outcome"), address, "orders", f"order-{i + 3}", "1"],
                                      capture_output=True, text=True, timeout=60)
                answer = done.stdout + done.stderr
                check(re.search(r"^((committed|found) \d+|absent)$", done.stdout, re.M) if done.returncode == 0
                      else "nothing was written" in answer, f"a deadline of 1 ms: {done.returncode}, {answer}")
            one = subprocess.Popen([str(SAMPLES / "single_writer"), address, "count", "one", "1000000"], stdout=subprocess.PIPE, text=True)
            check(one.stdout.readline().startswith("writes with token 1 from 0"), "single_writer starts")
            counted = run(SAMPLES / "single_writer", address, "count", "two", 50)
            check("writes with token 2" in counted, f"the second one takes over: {counted}")
            check(one.wait(timeout=60) == 3, "the first one ends as replaced")
            check("replaced by token 2" in one.stdout.read(), "and says so")
            numbers = [int(line.split()[-1]) for line in run(SAMPLES / "loglog", "read", "count", "--cluster", address).splitlines()]
            check(numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 50, f"counted without a gap: {numbers[:5]} … {numbers[-5:]}")
            publish_across_crashes(address, pathlib.Path(folder))
            run(script, "kill", "storage-2", **more)
            check("storage-2: not running" in run(script, "status", **more), "status shows the killed node")
            run(script, "start", "storage-2", **more)
            restarted = [line.split()[0] for line in run(script, "restart", **more).splitlines()]
            check(restarted[:3] == ["storage-1", "storage-2", "storage-3"] and len(set(restarted)) == 6, f"all six, one by one: {restarted}")
        finally:
            run(script, "destroy", **more)
        for _ in range(2):  # the second run finds the entries of the first
            check("followed back and equal" in run(SAMPLES / "embedded_cluster", folder + "/embedded", 500), "embedded_cluster")
    print("samples: ok")


main()
