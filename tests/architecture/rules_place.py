#!/usr/bin/env python3
"""Holds the place of the rules that keep data safe (proto-spec/vocabulary/rules.h): a core/rules.h per component, and no other file.

    tests/architecture/rules_place.py              checks the tree
    tests/architecture/rules_place.py --self-test  plants mistakes, which must be found

A reader of the three pages must see all that protects data, so
- removed() is called in no other file of the product, and only mutations of `if constexpr (mutations)` tells builds apart;
- each rule of the table has a function on a page, or the comment above the table says where the product enforces it;
- each function's comment begins with the name of the rule that it decides, or the names of several: "T4_disk and C1_seal: …".
"""

import pathlib
import re
import sys

from cpp_text import DIRECTIVE, TOKEN, comments

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = "proto-spec/vocabulary/rules.h"
PAGES = ("sdk/core/rules.h", "sequencer/core/rules.h", "storage-node/core/rules.h")
PRODUCT = ("proto-spec", "sdk", "sequencer", "storage-node")
SUFFIXES = (".h", ".cpp", ".def", ".in")

# A call or a definition has an argument; the model's own removed() has none and belongs to an object.
REMOVED = re.compile(r"(?<![.>\w])removed\s*\(\s*[^)\s]")
ONLY_TABLE = re.compile(r"\b(LOGLOG_MUTATIONS|removed_rules)\b")
MUTATIONS = re.compile(r"(?<!if constexpr \()\bmutations\b|\bmutations\b(?!\))")
RULE = re.compile(r"\bRule::(\w+)")
NAMES = re.compile(r"((?:\w+(?:, | and ))*\w+):")


def blank(m):
    return re.sub(r"[^\n]", " ", m.group())


def bare(text):
    """The text with spaces for comments and strings: every place keeps its line and its column."""
    return TOKEN.sub(blank, text)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def functions(text):
    """The functions of a header, outside classes: (name, line, its comment's text, begin and end of its body)."""
    plain = DIRECTIVE.sub(blank, bare(text))
    lines = text.split("\n")
    found, depth, begin, inside = [], 0, 0, None
    for at, c in enumerate(plain):
        if c == "{":
            head = plain[begin:at]
            if inside is None and not re.search(r"\bnamespace\b[^;{}]*$", head):
                name = re.search(r"(\w+)\s*\(", re.sub(r"^\s*template\s*<.*?>\s*(?=[\w\[])", "", head, flags=re.S))
                is_function = name is not None and not re.match(r"\s*(class|struct|union|enum)\b", head) and "=" not in head[:head.find("(")]
                start = begin + len(head) - len(head.lstrip())
                inside = (name.group(1) if is_function else None, start, at, depth)
            depth += 1
            begin = at + 1
        elif c == "}":
            depth -= 1
            if inside is not None and depth == inside[3]:
                name, start, body, _ = inside
                if name is not None:
                    first = line_of(text, start)
                    above = first - 2
                    while above >= 0 and lines[above].startswith("///"): above -= 1
                    comment = " ".join(l[3:].strip() for l in lines[above + 1:first - 1])
                    found.append((name, first, comment, body, at))
                inside = None
            begin = at + 1
        elif c == ";":
            begin = at + 1
    return found


def table_of(text):
    """(the rules of the table, the words of the comment above it)."""
    rules = re.findall(r"^\s*X\((\w+)\)", text, re.M)
    head = text[:text.index("#define LOGLOG_RULES")]
    return rules, set(re.findall(r"\w+", " ".join(c for _, c in comments(head))))


def check_place(path, text):
    """removed() and its build switch stand where they may."""
    plain = bare(text)
    if path != TABLE and path not in PAGES:
        for m in REMOVED.finditer(plain):
            yield f"{path}:{line_of(plain, m.start())}: calls removed(): let a function of the component's core/rules.h decide"
    if path != TABLE:
        for m in ONLY_TABLE.finditer(plain):
            yield f"{path}:{line_of(plain, m.start())}: names {m.group()}, which only {TABLE} may"
        for m in MUTATIONS.finditer(plain):
            yield f"{path}:{line_of(plain, m.start())}: `mutations` stands outside of `if constexpr (mutations)`, so a product may hold the code behind it"


def check_page(path, text, rules):
    """Each function's comment begins with its rules, and removed() stands in such functions alone."""
    plain = bare(text)
    bodies = []
    for name, line, comment, begin, end in functions(text):
        bodies.append((begin, end))
        heading = NAMES.match(comment)
        named = re.split(r", | and ", heading.group(1)) if heading else []
        if not named:
            yield f"{path}:{line}: the comment of {name}() does not begin with a rule's name and a colon"
            continue
        for n in named:
            if n not in rules: yield f"{path}:{line}: the comment of {name}() begins with {n}, which is no rule of {TABLE}"
        for r in sorted(set(RULE.findall(plain[begin:end])) - set(named)):
            yield f"{path}:{line}: {name}() decides {r}, which its comment does not begin with"
    for m in REMOVED.finditer(plain):
        if not any(begin < m.start() < end for begin, end in bodies):
            yield f"{path}:{line_of(plain, m.start())}: removed() stands in no function of its own"


def check(files):
    """All problems of a product, {path: text}."""
    problems = []
    rules, above_table = table_of(files[TABLE])
    has_function = set()
    for path, text in sorted(files.items()):
        problems += check_place(path, text)
    for path in PAGES:
        if path not in files:
            problems.append(f"{path}: is missing")
            continue
        problems += check_page(path, files[path], rules)
        has_function |= set(RULE.findall(bare(files[path])))
    for r in rules:
        if r not in has_function and r not in above_table:
            problems.append(f"{TABLE}: no core/rules.h has a function for {r}, and the comment above the table does not say where it is enforced")
    return problems


def self_test():
    table = "// C3_saved: Raft does.\n#define LOGLOG_RULES(X) \\\n  X(T3_fence)  /* a node refuses */ \\\n  X(D2) \\\n  X(C3_saved)\n" \
            "#ifdef LOGLOG_MUTATIONS\ninline bool removed(Rule r) { return removed_rules.test(r); }\ninline constexpr bool mutations = true;\n#endif\n"
    page = """// The page.
#include <cstdint>
namespace loglog::storage::rules {
// ---- T
struct Pair { int a{}; };
inline constexpr int k = f(3);
/// T3_fence: a node refuses a command,
/// always.
template <class T>
inline bool is_fenced(T commanded, T promised) {
  if (commanded < promised) { return !removed(Rule::T3_fence); }
  return false;
}

/// T3_fence and D2: an order follows.
constexpr bool follows(Pair p) { return p.a == 0 || (removed(Rule::D2) && removed(Rule::T3_fence)); }
}  // namespace loglog::storage::rules
"""
    empty = {p: "#pragma once\n" for p in PAGES}
    good = {**empty, TABLE: table, PAGES[2]: page, "storage-node/core/a.cpp": """// removed(Rule::D2)
auto s = "removed(Rule::D2)";
bool f() { return what.rules.removed() || known->removed(3); }
std::optional<Part> removed() const { return removed_; }
void g() { if constexpr (mutations) { if (!rules::follows({})) h(); } }
"""}
    assert check(good) == [], check(good)

    def finds(words, **changes):
        files = dict(good)
        for path, text in changes["files"].items():
            if text is None: del files[path]
            else: files[path] = text
        got = check(files)
        assert len(got) == 1 and words in got[0], (words, got)

    finds("a.cpp:2: calls removed()", files={"sdk/core/a.cpp": "// x\nif (removed(Rule::D2)) f();\n"})
    finds("calls removed()", files={"proto-spec/model/a.h": "bool a = loglog::removed (r);\n"})
    finds("names LOGLOG_MUTATIONS", files={"sdk/core/a.cpp": "#ifdef LOGLOG_MUTATIONS\n#endif\n"})
    finds("names removed_rules", files={"sdk/core/a.cpp": "bool a = removed_rules.any();\n"})
    finds("outside of `if constexpr", files={"sdk/core/a.cpp": "void a() { if (mutations) b(); }\n"})
    finds("outside of `if constexpr", files={"sdk/core/a.cpp": "void a() { if constexpr (mutations && c) b(); }\n"})
    finds("sdk/core/rules.h: is missing", files={PAGES[0]: None})
    finds("function for K1", files={TABLE: table.replace("X(D2)", "X(D2) \\\n  X(K1)")})
    finds("function for C3_saved", files={TABLE: table.replace("C3_saved: Raft", "It: Raft")})
    finds("is_fenced() does not begin", files={PAGES[2]: page.replace("/// T3_fence: a node", "/// A node")})
    finds("is_fenced() does not begin", files={PAGES[2]: page.replace("/// always.", "/// always.\n\n// T")})
    finds("begins with T3, which is no rule", files={PAGES[2]: page.replace("/// T3_fence and D2:", "/// T3, T3_fence and D2:")})
    finds("follows() decides T3_fence", files={PAGES[2]: page.replace("/// T3_fence and D2:", "/// D2:")})
    finds("in no function of its own", files={PAGES[2]: page.replace("int a{};", "bool a() { return removed(Rule::D2); }")})


def main(option):
    self_test()
    if option == "--self-test": return 0
    paths = [p for folder in PRODUCT for p in sorted((ROOT / folder).rglob("*")) if p.suffix in SUFFIXES]
    problems = check({p.relative_to(ROOT).as_posix(): p.read_text() for p in paths})
    print("\n".join(problems) or f"{len(paths)} files of the product leave every decision on a rule to the {len(PAGES)} pages core/rules.h")
    return min(len(problems), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
