#!/usr/bin/env python3
"""Compiles every C++ example of the documentation against the public headers, so that no page shows a call that does not exist.

The examples are the ```cpp blocks of README.md, sdk/README.md and sdk/docs/*.md. All go into one translation unit, each in a
namespace of its own. A block without main() becomes the body of a function. Errors name the page and its line.
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "sdk/README.md", *sorted((ROOT / "sdk/docs").glob("*.md"))]
LOGLOG = ["loglog/client.h", "loglog/embedded.h", "loglog/partitioned_log.h"]
STANDARD = ["chrono", "cstdint", "expected", "functional", "future", "iostream", "map", "optional", "string", "string_view", "thread",
            "utility", "vector"]
# Warnings are errors, but an example may name a result and leave its use to the reader.
FLAGS = ["-std=c++23", "-fsyntax-only", "-x", "c++", "-Wall", "-Wextra", "-Werror", "-Wno-unused", "-Isdk/include"]


def blocks(text):
    """Line number of the first line, and the lines, of each ```cpp block."""
    found, begin = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if begin is None and re.fullmatch(r"```cpp\s*", line):
            begin, lines = number + 1, []
        elif begin is not None and line.startswith("```"):
            found.append((begin, lines))
            begin = None
        elif begin is not None:
            lines.append(line)
    return found


def unit(examples):
    """One translation unit of (page, first line, lines). An include of a block moves to the top, outside of its namespace."""
    includes = [f"#include <{h}>" for h in LOGLOG + STANDARD]
    body = []
    for n, (page, first, lines) in enumerate(examples):
        includes += [line for line in lines if line.startswith("#include")]
        kept = ["" if line.startswith("#include") else line for line in lines]
        whole = any(re.search(r"\bmain\s*\(", line) for line in kept)
        body += [f"namespace example_{n} {{", *([] if whole else ["void example() {"]), f'#line {first} "{page}"', *kept,
                 f'#line 1 "doc_examples.py: end of {page}:{first}"', *([] if whole else ["}"]), "}"]
    return "\n".join(includes + body) + "\n"


def compile_unit(examples):
    compiler = os.environ.get("CXX", "g++")
    done = subprocess.run([compiler, *FLAGS, "-"], input=unit(examples), capture_output=True, text=True, cwd=ROOT)
    return done.returncode == 0, done.stderr


def main():
    examples = [(page.relative_to(ROOT).as_posix(), first, lines) for page in PAGES for first, lines in blocks(page.read_text())]
    for page in PAGES:
        if page.parent.name == "docs" and not any(e[0] == page.relative_to(ROOT).as_posix() for e in examples):
            print(f"{page.relative_to(ROOT)}: has no example")
            return 1
    if not examples:
        print("no example was found")
        return 1
    taken, said = compile_unit([("planted.md", 1, ["loglog::Log* log = nullptr;", 'log->no_such_call("x");'])])
    if taken or "planted.md:2" not in said:
        print(f"positive control: a call that does not exist was accepted, or its line was not named: {said}")
        return 1
    taken, said = compile_unit(examples)
    print(said, end="")
    print(f"{len(examples)} examples of {len({e[0] for e in examples})} pages: {'all compile' if taken else 'not all compile'}")
    return 0 if taken else 1


sys.exit(main())
