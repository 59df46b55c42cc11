#!/usr/bin/env python3
"""Holds the size of the product's classes: at most 25 data members and 60 member functions.

    tests/architecture/class_size.py              fails where a class is larger than that, or than its line in LARGER
    tests/architecture/class_size.py --list       the largest classes
    tests/architecture/class_size.py --self-test

A class that passes the limits is two classes: its fields fall into groups that hardly meet, and each group wants a class that owns it.
LARGER names the classes that are larger today, with what they have; a line goes once its class has been cut.
"""

import pathlib
import re
import sys

from cpp_text import code

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIELDS_MAX, METHODS_MAX = 25, 60
LARGER = {}

HEAD = re.compile(r"(?:^|[;{}>]|\b(?:public|private|protected):)\s*(?:template\s*<[^{};]*>\s*)?(class|struct)\s+(?:\[\[\w+\]\]\s*)?(\w+)\s*(?:final\s*)?(?::[^;{}()]*)?$")


def without_templates(text):
    """Angle brackets and round brackets hide commas and braces of their own: both are emptied, the round ones stay as ()."""
    out, round_depth = [], 0
    for c in text:
        if c == "(":
            round_depth += 1
            if round_depth == 1: out.append("(")
        elif c == ")":
            round_depth -= 1
            if round_depth == 0: out.append(")")
        elif round_depth == 0:
            out.append(c)
    text = "".join(out)
    while True:
        shorter = re.sub(r"(?<=[\w:])\s*<[^<>;{}=]*>", "", text)
        if shorter == text: return text
        text = shorter


def kind(statement):
    """'field', 'method' or None, of one declaration of a class body without its nested braces."""
    s = re.sub(r"\b(public|private|protected)\s*:", " ", statement)
    s = re.sub(r"\[\[\w+\]\]", " ", s)
    s = without_templates(re.sub(r"^\s*template\s*<.*?>\s*(?=[\w~])", " ", s, flags=re.S)).strip()
    if not s or re.match(r"(using|friend|typedef|enum|class|struct|static_assert|union)\b", s): return None
    if re.match(r"(static\s+constexpr|constexpr\s+static|static\s+inline|inline\s+static)\b", s) and "(" not in s: return None
    head = s.split("=")[0] if "operator" not in s else s
    return "method" if "(" in head else "field"


def classes(text):
    """{class name: [fields, methods]} of a C++ text. Members of a nested class count for the nested class alone."""
    text = code(text)
    found, stack, statement = {}, [], ""
    for c in text:
        if c == "{":
            head = HEAD.search(statement) if not statement.rstrip().endswith(("=", ",", "(")) else None
            inside = stack[-1] if stack else None
            if head:
                name = head.group(2)
                outer = next((s[0] for s in reversed(stack) if s[0]), None)
                name = f"{outer}::{name}" if outer else name
                found.setdefault(name, [0, 0])
                stack.append((name, ""))
            else:
                stack.append((None, statement))
            statement = ""
        elif c == "}":
            name, before = stack.pop() if stack else (None, "")
            inside = stack[-1][0] if stack else None
            if name is None and inside and kind(before) == "method":  # a function with its body
                found[inside][1] += 1
                statement = ""
            else:
                statement = before if name is None and inside else ("" if name is None else "struct ")
        elif c == ";":
            if stack and stack[-1][0]:
                k = kind(statement)
                if k == "field": found[stack[-1][0]][0] += 1 + len(re.findall(r",", without_templates(statement)))
                if k == "method": found[stack[-1][0]][1] += 1
            statement = ""
        else:
            statement += c
    return found


def all_classes():
    for folder in ("proto-spec", "sdk", "sequencer", "storage-node"):
        for p in sorted((ROOT / folder).rglob("*")):
            if p.suffix in (".h", ".cpp"):
                for name, (fields, methods) in classes(p.read_text()).items():
                    yield name, fields, methods, p.relative_to(ROOT)


def self_test():
    text = """
    class A : public B { public: A(); explicit A(int x) : x_(x) {} int get() const { return x_; } template <class T> void put(T t);
     private: struct In { int a, b; void f(); }; std::map<int, std::vector<int>> m_{{1, {}}}; int x_ = f(3); std::function<void(int)> g_;
     static constexpr int k = 3; using T = int; };"""
    got = classes(text)
    assert got["A"] == [3, 4], got
    assert got["A::In"] == [2, 1], got


if __name__ == "__main__":
    self_test()
    if sys.argv[1:2] == ["--self-test"]: sys.exit(0)
    rows = list(all_classes())
    if sys.argv[1:2] == ["--list"]:
        for name, fields, methods, path in sorted(rows, key=lambda r: -max(r[1] / FIELDS_MAX, r[2] / METHODS_MAX))[:25]:
            print(f"{name:45} {fields:3} data members {methods:4} functions  {path}")
        sys.exit(0)
    bad, seen = [], set()
    for name, fields, methods, path in rows:
        place = f"{path}: {name}"
        most = LARGER.get(place, (FIELDS_MAX, METHODS_MAX))
        seen.add(place)
        has = f"{place} has {fields} data members and {methods} functions"
        if fields > max(FIELDS_MAX, most[0]) or methods > max(METHODS_MAX, most[1]):
            bad.append(f"{has}; the limits are {max(FIELDS_MAX, most[0])} and {max(METHODS_MAX, most[1])}")
        elif place in LARGER and fields <= FIELDS_MAX and methods <= METHODS_MAX:
            bad.append(f"{has}, within the limits: remove its line from LARGER")
        elif place in LARGER and (fields, methods) != most:
            bad.append(f"{has}: lower its line in LARGER, which says {most[0]} and {most[1]}")
    bad += [f"LARGER names {place}, which is not there" for place in LARGER if place not in seen]
    print("\n".join(bad) or f"{len(rows)} classes are within their limits, {len(LARGER)} of them larger than a class should be")
    sys.exit(bool(bad))
