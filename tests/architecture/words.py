#!/usr/bin/env python3
"""Measures the comments of the C++ sources, and holds what they have reached.

    tests/architecture/words.py            every component's figures; fails if a component has fallen behind LEAST or MOST
    tests/architecture/words.py --files    every file's figures, the poorest first
    tests/architecture/words.py --self-test

Comment share: lines that hold a comment, in percent of the lines that are not blank. Vague words: how often "one" and "what" stand in a
comment, per 1000 of its words; a reader must guess the noun that such a word replaces.
"""

import pathlib
import re
import sys

from cpp_text import comments

ROOT = pathlib.Path(__file__).resolve().parents[2]


def measure(text):
    lines = [l for l in text.split("\n") if l.strip()]
    held, words = set(), []
    for at, c in comments(text):
        for i, l in enumerate(c.split("\n")):
            if l.strip(" /*!<"): held.add(at + i)
        words += re.findall(r"[A-Za-z][A-Za-z'’-]*", c)
    vague = {w: sum(1 for x in words if x.lower() == w) for w in ("one", "what")}
    return dict(lines=len(lines), comment_lines=len(held), words=len(words), one=vague["one"], what=vague["what"])


def total(figures):
    t = {k: sum(f[k] for f in figures) for k in ("lines", "comment_lines", "words", "one", "what")}
    t["share"] = 100 * t["comment_lines"] / max(1, t["lines"])
    for w in ("one", "what"): t[w + "_rate"] = 1000 * t[w] / max(1, t["words"])
    return t


def show(name, t):
    print(f"{name:60} share {t['share']:5.1f} %  one {t['one_rate']:5.1f}  what {t['what_rate']:5.1f}  of {t['words']} words, {t['lines']} lines")


def files(where):
    return [p for p in sorted((ROOT / where).rglob("*")) if p.suffix in (".h", ".cpp")]


# What each component has reached: at least so many percent of its lines hold a comment. At most MOST vague words per 1000.
LEAST = {"proto-spec": 20, "sdk": 17, "sequencer": 17, "storage-node": 19, "tests": 10.5, "samples": 16}
MOST = 4


def self_test():
    text = """int a;  // what is this, one asks\nauto s = "// one";\n\n/* two\n   lines */\nint b;\n"""
    got = measure(text)
    assert (got["lines"], got["comment_lines"], got["one"], got["what"]) == (5, 3, 1, 1), got


def main(option):
    self_test()
    if option == "--self-test": return 0
    if option == "--files":
        rows = [(total([measure(p.read_text())]), p) for c in LEAST for p in files(c)]
        for t, p in sorted(rows, key=lambda r: r[0]["share"]): show(str(p.relative_to(ROOT)), t)
        return 0
    bad = 0
    for component, least in LEAST.items():
        t = total([measure(p.read_text()) for p in files(component)])
        show(component, t)
        if t["share"] < least:
            print(f"{component}: {t['share']:.1f} % of the lines hold a comment, at least {least} % must: say why the new code exists")
            bad += 1
        for w in ("one", "what"):
            if t[w + "_rate"] > MOST:
                print(f'{component}: "{w}" stands {t[w + "_rate"]:.1f} times in 1000 words of comment, at most {MOST}: write the noun')
                bad += 1
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
