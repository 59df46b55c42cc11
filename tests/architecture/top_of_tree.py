#!/usr/bin/env python3
"""Architecture: only files for a visitor stand at the top of the tree, and every test script is
executable.

The configure step refuses earlier a .cpp that no target compiles: CMake registers tests by their
folder, and the end of the top CMakeLists.txt fails on a file that no folder's rule has taken."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALLOWED = {"CMakeLists.txt", "CMakePresets.json", "README.md", "sdk", "sequencer", "storage-node", "proto-spec", "tests", "samples"}


def wrong_at_top(names):
    return sorted(n for n in names if n not in ALLOWED and not n.startswith("."))


def main():
    problems = []
    if wrong_at_top(["sdk", ".ci", "notes.txt"]) != ["notes.txt"]:
        problems.append("positive control: a planted file at the top was not found")
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True)
    names = listed.stdout.split("\n") if listed.returncode == 0 else [p.name for p in ROOT.iterdir() if p.name != "build"]
    problems += [f"{n}: does not belong at the top of the tree" for n in wrong_at_top({n.split("/")[0] for n in names if n})]
    for script in [*ROOT.glob("tests/integration/*"), *ROOT.glob("tests/chaos/*"), *ROOT.glob("samples/*.sh")]:
        if script.suffix in (".py", ".sh") and script.read_text(errors="replace").startswith("#!") and not os.access(script, os.X_OK):
            problems.append(f"{script.relative_to(ROOT)}: starts with #! and is not executable, so nobody runs it")
    for problem in problems:
        print(problem)
    print(f"top of the tree: {len(problems)} problems")
    return 1 if problems else 0


sys.exit(main())
