#!/usr/bin/env python3
"""Benchmark: the instructions that an append costs in the cores and the codec, counted by valgrind,
so that the machine's speed does not matter.

    LOGLOG_BIN=build/release/bin tests/benchmarks/instructions.py [--appends 2048]
        [--functions 10]

Runs `loglog-micro --count-appends` (client, sequencer and three storage nodes in a single thread,
no sockets, no disk) with N and with 2N appends and takes the difference, so that the start does not
count.
Two runs of the same binary differ by less than 0.5 %; another compiler or option gives other
figures. --functions N also lists the N most expensive functions."""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("LOGLOG_BIN", ROOT / "build/release/bin"))
PARTS = {
    "SDK core": ["in_sdk_append", "in_sdk"],
    "sequencer core": ["in_sequencer"],
    "3 storage cores": ["in_storage"],
    "codec, all ends": ["in_codec_encode", "in_codec_decode"],
}
# payload bytes, entries of a run
SHAPES = [(128, 1), (1024, 1), (1024, 16), (1024, 256), (65536, 1)]
LINE = re.compile(r"^\s*([\d,]+) (?:\([^)]*\))?\s+\S*?:(.*?)(?: \[[^\]]*\])?$")


def annotated(out, inclusive):
    """{function: instructions} as callgrind_annotate prints them."""
    text = subprocess.run(["callgrind_annotate", f"--inclusive={'yes' if inclusive else 'no'}", "--threshold=100", str(out)],
                          check=True, capture_output=True, text=True).stdout
    counts = {}
    for line in text.splitlines():
        if m := LINE.match(line):
            counts[m[2]] = counts.get(m[2], 0) + int(m[1].replace(",", ""))
    return counts


def count(size, per_run, appends):
    """Instructions by part, and by function within all parts."""
    with tempfile.TemporaryDirectory(prefix="loglog-instructions-") as d:
        out = pathlib.Path(d) / "callgrind.out"
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", BIN / "loglog-micro", "--count-appends", str(appends),
                        "--size", str(size), "--per-run", str(per_run)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=600)
        inclusive, own = annotated(out, True), annotated(out, False)
    parts = {}
    for part, functions in PARTS.items():
        found = [n for f, n in inclusive.items() if re.search(rf"::({'|'.join(functions)})\(", f)]
        if not found:
            sys.exit(f"instructions.py: {out.name} names none of {', '.join(functions)}; was loglog-micro stripped?")
        parts[part] = sum(found)
    return parts, own


def difference(many, few, appends):
    return {k: (v - few.get(k, 0)) / appends for k, v in many.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--appends", type=int, default=2048, help="counted: a run with twice as many less a run with so many")
    p.add_argument("--functions", type=int, default=0)
    o = p.parse_args()
    print(f"| entries | {' | '.join(PARTS)} | together |")
    print(f"|---|{'---|' * (len(PARTS) + 1)}")
    for size, per_run in SHAPES:
        n = max(o.appends // per_run, 8) * per_run
        many, own_many = count(size, per_run, 2 * n)
        few, own_few = count(size, per_run, n)
        parts = difference(many, few, n)
        print(f"| {size} B, {per_run} a run | {' | '.join(f'{v:,.0f}' for v in parts.values())} | {sum(parts.values()):,.0f} |", flush=True)
        if o.functions:
            own = difference(own_many, own_few, n)
            for f, v in sorted(own.items(), key=lambda x: -x[1])[:o.functions]:
                print(f"  {v:9,.0f}  {f[:130]}", file=sys.stderr)


main()
