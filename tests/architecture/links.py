#!/usr/bin/env python3
"""Every relative link and anchor of the .md files leads somewhere, and every file that a page names in backticks exists.

A link is checked against the files that git knows. An anchor is checked against the headings of its page, by the rule that GitHub
makes anchors by. A name in backticks is taken for a file if it ends like a source file; it may be the end of a path
(`core/log_replica.cpp`) and may have stars.
"""

import fnmatch
import pathlib
import re
import subprocess
import sys
import unicodedata
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE_NAME = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*\.(?:h|cpp|py|sh|md|def|toml|yaml|txt|svg|html|cmake|service)")
# Names of files that programs make, that an earlier version had, or that a page proposes.
NOT_IN_THE_TREE = set()


def without_code(text):
    """The text with code blocks emptied, so that line numbers stay."""
    kept, fence = [], None
    for line in text.splitlines():
        mark = re.match(r"\s*(```+|~~~+)", line)
        if fence is None and mark:
            fence = mark.group(1)[:3]
            kept.append("")
        elif fence is not None:
            if mark and mark.group(1).startswith(fence):
                fence = None
            kept.append("")
        else:
            kept.append("" if line.startswith("    ") else line)
    return kept


def anchors(text):
    found, seen = set(), {}
    for line in without_code(text):
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if not heading:
            continue
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1)).lower()
        slug = "".join(c for c in words if c in " -_" or unicodedata.category(c)[0] in "LN").replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


def problems_of(page, text, files, texts):
    """`page` is a path below the root, `files` all paths, `texts` the pages' texts by path."""
    folders = {p.as_posix() for f in files for p in pathlib.PurePosixPath(f).parents}
    found = []
    for number, line in enumerate(without_code(text), 1):
        plain = re.sub(r"`[^`]*`", "``", line)
        targets = re.findall(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)", plain) + re.findall(r"\b(?:src|href|srcset)=\"([^\"]+)\"", plain)
        for target in targets:
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = urllib.parse.unquote(target).partition("#")
            at = page
            if path:
                at = "/".join(resolve(pathlib.PurePosixPath(page).parent / path))
                if at not in files and at not in folders and at != "":
                    found.append(f"{page}:{number}: {target}: there is no {at}")
                    continue
            if anchor and at in texts and anchor not in anchors(texts[at]):
                found.append(f"{page}:{number}: {target}: {at} has no heading for #{anchor}")
        for word in re.findall(r"`([^`]+)`", line):
            if FILE_NAME.fullmatch(word) and word not in NOT_IN_THE_TREE:
                if not any(fnmatch.fnmatchcase("/" + f, "*/" + word) for f in files):
                    found.append(f"{page}:{number}: no file ends with {word}")
    return found


def resolve(path):
    parts = []
    for part in path.parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return parts


def main():
    control = problems_of("a/page.md", "[x](../none.md) [y](#nowhere) [z](other.md#there) `a/none.cpp`\n# Now here\n[w](#now-here)\n",
                          {"a/page.md", "a/other.md"}, {"a/page.md": "# Now here\n", "a/other.md": "# There\n"})
    if len(control) != 3:
        print(f"positive control: three planted problems and no others were to be found: {control}")
        return 1
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode == 0:
        files = {f for f in listed.stdout.split("\0") if f and (ROOT / f).exists()}
    else:
        files = {p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*") if p.is_file() and p.relative_to(ROOT).parts[0] != "build"}
    texts = {f: (ROOT / f).read_text() for f in sorted(files) if f.endswith(".md")}
    problems = [p for page, text in texts.items() for p in problems_of(page, text, files, texts)]
    for problem in problems:
        print(problem)
    print(f"links of {len(texts)} pages: {len(problems)} problems")
    return 1 if problems or not texts else 0


sys.exit(main())
