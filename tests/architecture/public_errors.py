#!/usr/bin/env python3
"""Holds the public list of error codes equal to the table proto-spec/errors.def.

    tests/architecture/public_errors.py            fails if sdk/include/loglog/error.h and the table differ
    tests/architecture/public_errors.py --write    writes the list of the header anew
    tests/architecture/public_errors.py --self-test

The header spells the codes out, because users read it and their programs must not depend on files of proto-spec.
"""

import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE, HEADER = ROOT / "proto-spec/errors.def", ROOT / "sdk/include/loglog/error.h"
LIST = re.compile(r"(enum class Errc : std::uint16_t \{\n)(.*?)(\};)", re.S)


def entries(table):
    """(number, name, sentence) of every row of the table."""
    return [(int(n), name, s) for n, name, s in re.findall(r'^LOGLOG_ERROR\((\d+), (\w+), \w+, "(.*)"\)$', table, re.M)]


def listed(table):
    """The body of the enumeration: a comment with the sentence before each code."""
    lines = []
    for number, name, sentence in entries(table):
        lines += textwrap.wrap(sentence[0].upper() + sentence[1:] + ".", width=100, initial_indent="  /// ", subsequent_indent="  /// ",
                               break_long_words=False, break_on_hyphens=False)
        lines.append(f"  {name} = {number},")
    return "\n".join(lines) + "\n"


def differs(table, header):
    """Why header and table differ; None if they are equal."""
    found = LIST.search(header)
    if not found: return "the header has no enumeration Errc"
    if not entries(table): return "the table has no row"
    return None if found.group(2) == listed(table) else "the codes of the header are not those of the table: run with --write"


def self_test():
    table = 'LOGLOG_ERROR(0, ok, no, "no error")\nLOGLOG_ERROR(1, bad, later, "it is bad; mend it")\n'
    header = "enum class Errc : std::uint16_t {\n" + listed(table) + "};\n"
    assert differs(table, header) is None
    assert differs(table.replace("1, bad", "2, bad"), header) and differs(table.replace("mend", "end"), header)
    assert differs("", header) and differs(table, "enum class Other {};")


def main():
    if "--self-test" in sys.argv: return self_test()
    table, header = TABLE.read_text(), HEADER.read_text()
    if "--write" in sys.argv: HEADER.write_text(LIST.sub(lambda m: m.group(1) + listed(table) + m.group(3), header))
    elif why := differs(table, header): sys.exit(f"{HEADER.relative_to(ROOT)}: {why}")


main()
