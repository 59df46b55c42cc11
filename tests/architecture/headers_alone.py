#!/usr/bin/env python3
"""Architecture: each header compiles by itself as the first include of a file, and each public
header compiles with only sdk/include in sight."""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ["g++", "-std=c++23", "-fsyntax-only", "-x", "c++", "-Wall", "-Wextra", "-Werror"]


def compile_alone(include, folders):
    result = subprocess.run([*FLAGS, *(f"-I{f}" for f in folders), "-"], input=f"#include {include}\n", capture_output=True, text=True)
    errors = [line for line in result.stderr.splitlines() if "error:" in line]
    return None if result.returncode == 0 else (errors or result.stderr.splitlines() or ["?"])[0]


def main():
    with tempfile.TemporaryDirectory() as folder:  # a positive control
        (pathlib.Path(folder) / "lame.h").write_text("#pragma once\ninline std::string f();\n")
        if compile_alone('"lame.h"', [folder]) is None:
            print("positive control: a header that lacks an include was accepted")
            return 1
    jobs = {}
    for top in ("proto-spec", "sdk", "sequencer", "storage-node", "samples", "tests"):
        for header in sorted((ROOT / top).rglob("*.h")):
            path = header.relative_to(ROOT).as_posix()
            if path.startswith("sdk/include/"):
                jobs[path] = (f"<{path.removeprefix('sdk/include/')}>", [ROOT / "sdk/include"])
            else:
                jobs[path] = (f'"{path}"', [ROOT, ROOT / "sdk/include"])
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = dict(zip(jobs, pool.map(lambda job: compile_alone(*job), jobs.values())))
    problems = {path: error for path, error in results.items() if error}
    for path, error in problems.items():
        print(f"{path}: does not compile alone: {error}")
    print(f"{len(jobs)} headers: {len(problems)} do not stand alone")
    return 1 if problems or not jobs else 0


sys.exit(main())
