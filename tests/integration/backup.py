#!/usr/bin/env python3
"""Backup as samples/deploy/operating.md describes it: closed segments of a live node are copied,
inspected offline, compared with another replica's, read without a node, and appended to a fresh
log. A damaged copy must be detected."""

import json
import random
import shutil
import subprocess
import tempfile
import pathlib

from cluster import BIN, Cluster, check

HEADER = 4096


def offline(*args, code=0):
    r = subprocess.run([str(BIN / "loglog"), "inspect", *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    check(r.returncode == code, f"inspect {args} ends with {code}: {r.returncode} {r.stderr.decode()}")
    return r.stdout, r.stderr.decode()


def closed_segments(c, node, log):
    """The closed segments with their ends: all but the newest file, whose end is the committed
    offset."""
    info = next(l for l in c.status()["logs"] if l["name"] == log)
    files = sorted(c.segments(node).values())
    return [(f, int(following.stem)) for f, following in zip(files, files[1:]) if int(following.stem) <= info["committed"]]


def copy(c, node, log, target):
    copies = []
    for file, end in closed_segments(c, node, log):
        shutil.copy2(file, target / file.name)
        copies.append((target / file.name, end))
    return copies


def main():
    shuffled = random.Random(7)
    with Cluster() as c, tempfile.TemporaryDirectory() as d:
        d = pathlib.Path(d)
        c.create("events", "--segment-size", 65536)
        binary = d / "binary"
        binary.write_bytes(bytes(range(256)) * 100)
        for part in (0, 3000):
            c.run("append", "events", input=b"".join(b"%06d %s\n" % (part + i, shuffled.randbytes(40).hex().encode()) for i in range(3000)))
            c.run("append", "events", "--file", binary)
        with c.popen("append", "events", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as writer:
            writer.stdin.write(b"live\n" * 3000)  # the node is at work while it is copied
            writer.stdin.flush()
            (d / "copy").mkdir()
            copies = copy(c, "node1", "events", d / "copy")
            writer.stdin.close()
            check(writer.wait(timeout=60) == 0, "the writer is not disturbed")
        check(len(copies) >= 8, f"several segments are closed: {copies}")

        others = c.segments("node2")
        for path, end in copies:
            text = offline(path)[0].decode()
            check(f"ends at {end} " in text and "the file ends" in text, f"{path.name} is whole up to {end}: {text.splitlines()[-1]}")
            twin = next(p for name, p in others.items() if name.name == path.name)
            check(path.read_bytes()[HEADER:] == twin.read_bytes()[HEADER:], f"{path.name} is the same on another replica, past its header")

        paths = [p for p, _ in copies]
        whole = c.run("read", "events", "--format", "json").stdout.splitlines()
        wanted = [line for line in whole if json.loads(line)["offset"] < copies[-1][1]]
        check(offline("--entries", "--format", "json", *paths)[0].splitlines() == wanted, "the copy has the log's entries, at their offsets")
        check(any(json.loads(line)["bytes"].startswith("AAECAwQF") for line in wanted), "one that no line could hold among them")

        c.create("restored")
        exported = offline("--entries", "--format", "json", *paths)[0]
        results = [json.loads(line) for line in c.run("append", "restored", "--format", "json", input=exported).stdout.splitlines()]
        check([r["outcome"] for r in results] == ["committed"] * len(wanted), "each entry of the copy is committed (A3)")
        restored = c.run("read", "restored", "--format", "json").stdout.splitlines()
        check([json.loads(line)["bytes"] for line in restored] == [json.loads(line)["bytes"] for line in wanted],
              "a log made of a copy has the same entries, whatever their bytes (A3)")
        check([json.loads(line)["offset"] for line in restored] == [r["offset"] for r in results], "where the results said")

        damaged = d / "damaged.seg"
        data = bytearray(paths[1].read_bytes())
        data[len(data) // 2] ^= 1
        damaged.write_bytes(data)
        check("bad bytes" in offline(damaged, code=1)[0].decode(), "inspect finds the damage")
        before, said = offline("--entries", damaged, code=1)
        check("bad bytes" in said and str(damaged) in said, f"and says where: {said}")
        check(before and offline("--entries", paths[1])[0].startswith(before), "entries before it are given")
    print(f"backup: {len(copies)} segments, {len(wanted)} entries")


if __name__ == "__main__":
    main()
