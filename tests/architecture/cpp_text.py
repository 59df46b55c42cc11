"""C++ text as the other scripts of this folder read it: where comments and strings are."""

import re

# A comment or a string; a digit separator (1'000) begins no character.
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\'', re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.M | re.S)


def comments(text):
    """The comments of a C++ text, as (first line, text); strings that look like comments are none."""
    for m in TOKEN.finditer(text):
        if m.group().startswith(("//", "/*")):
            yield text.count("\n", 0, m.start()), m.group()


def code(text):
    """The text without comments and directives; strings are empty."""
    text = TOKEN.sub(lambda m: '""' if m.group().startswith('"') else " ", text)
    return DIRECTIVE.sub(" ", text)
