#!/usr/bin/env python3
"""Architecture: every #include of the tree points where its layer may look (spec/03 "How the code
is cut").

    tests/architecture/include_arrows.py              checks the tree
    tests/architecture/include_arrows.py --self-test  plants wrong arrows, which must be found

A layer may always include itself and the vocabulary's own needs: the standard library and fmt."""

import pathlib
import re
import sys
import tempfile

# The table: a folder, and the folders or single files that it may include besides itself.
VOCABULARY = ["proto-spec/vocabulary", "proto-spec/errors.def"]
WIRE = ["proto-spec/wire", "proto-spec/messages.def"]
MESSAGE_STRUCTS = ["proto-spec/wire/messages.h", "proto-spec/messages.def"]
PROTO_SPEC = ["proto-spec"]
# Metadata have the same bytes on the disk, in Raft entries and on the wire: a single field codec,
# which is as pure as a core.
RECORDS = MESSAGE_STRUCTS + ["proto-spec/wire/field_codec.h"]
# What cores exchange with their drivers about connections: values alone.
NET = ["proto-spec/session/net.h"]
CORE = VOCABULARY + NET + RECORDS + ["proto-spec/disk", "proto-spec/observe/histogram.h"]
SERVERS = ["sequencer", "storage-node"]

MAY_INCLUDE = {
    "proto-spec/vocabulary": ["proto-spec/errors.def"],
    # stderr and the standard descriptors belong to the process and not to a loop: options are
    # refused before there is a loop.
    "proto-spec/console": [],
    "proto-spec/wire": VOCABULARY + ["proto-spec/messages.def"],
    "proto-spec/disk": VOCABULARY + RECORDS,
    "proto-spec/files": VOCABULARY,  # blocking system calls, so no core may include it
    "proto-spec/observe": VOCABULARY,
    "proto-spec/session": WIRE + VOCABULARY,
    "proto-spec/transport": ["proto-spec/session", "proto-spec/console"] + WIRE + VOCABULARY,
    "proto-spec/config": VOCABULARY + ["proto-spec/console"],
    # it starts threads
    "proto-spec/http": VOCABULARY + ["proto-spec/observe", "proto-spec/console", "proto-spec/transport/posix_signals.h"],
    "proto-spec/server": ["proto-spec/http", "proto-spec/transport", "proto-spec/console"] + VOCABULARY,
    "proto-spec/model": [],  # it stands beside the product and includes nothing of it
    "sdk/core": CORE,
    "sequencer/core": CORE,
    "storage-node/core": CORE,
    "sdk/io": PROTO_SPEC + ["sdk/core"],
    "sequencer/io": PROTO_SPEC + ["sequencer/core"],
    "storage-node/io": PROTO_SPEC + ["storage-node/core"],
    "sequencer/app": PROTO_SPEC + ["sequencer"],
    "storage-node/app": PROTO_SPEC + ["storage-node"],
    "sdk/api": PROTO_SPEC + ["sdk"],
    "sdk/embedded": PROTO_SPEC + ["sdk"] + SERVERS,
    "sdk/cli": PROTO_SPEC + ["sdk"] + SERVERS,
    "sdk/include": [],
    "samples": ["sdk/include"],
    "tests": PROTO_SPEC + ["sdk", "samples"] + SERVERS,
}

# Headers from outside. "effects" are the standard headers that reach for files, threads, clocks or
# chance.
EFFECTS = {
    "barrier", "condition_variable", "csignal", "ctime", "filesystem", "fstream", "future", "iostream", "latch", "mutex",
    "random", "semaphore", "shared_mutex", "stop_token", "syncstream", "thread",
}
IO_LIBRARIES = ["effects", "libuv", "liburing", "posix"]
LIBRARIES = {
    "proto-spec/vocabulary": ["fmt"],
    "proto-spec/console": ["fmt", "effects", "posix"],
    "proto-spec/wire": ["fmt", "xxhash"],
    "proto-spec/disk": ["fmt", "xxhash"],
    "proto-spec/files": ["fmt", "posix"],
    "proto-spec/observe": ["fmt"],
    "proto-spec/session": ["fmt"],
    "proto-spec/transport": ["fmt", "effects", "libuv", "posix"],
    "proto-spec/config": ["fmt", "effects", "cli11", "tomlplusplus"],
    "proto-spec/http": ["fmt", "effects", "libmicrohttpd", "posix"],
    "proto-spec/server": ["fmt", "effects", "posix"],  # memory is given back to the system
    "proto-spec/model": ["fmt", "effects", "cli11"],
    "sdk/core": ["fmt"],
    "sequencer/core": ["fmt"],
    "storage-node/core": ["fmt"],
    "sdk/io": ["fmt"] + IO_LIBRARIES,
    "sequencer/io": ["fmt"] + IO_LIBRARIES,
    "storage-node/io": ["fmt"] + IO_LIBRARIES,
    "sequencer/app": ["fmt", "effects", "cli11"],
    "storage-node/app": ["fmt", "effects", "cli11"],
    "sdk/api": ["fmt", "effects"],
    "sdk/embedded": ["fmt", "effects"],
    "sdk/cli": ["fmt", "effects", "cli11", "posix"],
    # an application compiles these headers, so the standard library is all that they may need
    "sdk/include": ["effects"],
    "samples": ["effects"],
    "tests": ["fmt", "xxhash", "cli11", "doctest"] + IO_LIBRARIES,
}
# A library with effects is wrapped in files that carry its name. liburing hands out POSIX types
# (iovec, eventfd), so a uring_* file may name POSIX too, and so may a mhd_* file, because
# libmicrohttpd takes socket addresses. A uv_* file may not, because libuv has its own types for
# everything of POSIX.
FILES_OF = {"libuv": ("uv_",), "liburing": ("uring_",), "libmicrohttpd": ("mhd_",), "posix": ("posix_", "uring_", "mhd_")}
WHOLE_FOLDER_OF = {"libuv": ("proto-spec/transport", "tests"), "liburing": ("tests",), "libmicrohttpd": (), "posix": ("tests",)}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def below(path, place):
    return path == place or path.startswith(place + "/")


def layer_of(path):
    if path == "proto-spec/errors.def":
        return "proto-spec/vocabulary"
    if path == "proto-spec/messages.def":
        return "proto-spec/wire"
    return next((layer for layer in MAY_INCLUDE if below(path, layer)), None)


def library_of(header):
    for prefix, library in (("uv.h", "libuv"), ("uv/", "libuv"), ("liburing", "liburing"), ("microhttpd", "libmicrohttpd"), ("xxh", "xxhash"), ("fmt/", "fmt"),
                            ("CLI/", "cli11"), ("doctest/", "doctest"), ("toml++/", "tomlplusplus")):
        if header.startswith(prefix):
            return library
    if header in EFFECTS:
        return "effects"
    if re.fullmatch(r"[a-z_0-9]+", header):
        return "standard"
    if header.endswith(".h"):
        return "posix"
    return "unknown"


def problem_of(root, path, layer, bracket, header):
    """The reason why this include is wrong, or None."""
    name = path.rsplit("/", 1)[1]
    if bracket == "<" and header.startswith("loglog/"):
        header, bracket = "sdk/include/" + header, '"'
    elif bracket == '"' and not header.startswith("sdk/include/") and "/" not in header:
        return "names a file without its layer; write the path from the top of the repository"
    if bracket == '"':
        if not (root / header).exists():
            return "no such file"
        if below(header, "samples") and layer == "samples" and header.split("/")[:2] != path.split("/")[:2]:
            return "a sample stands alone"
        if below(header, layer) or any(below(header, place) for place in MAY_INCLUDE[layer]):
            return None
        return f"{layer} may include {', '.join(MAY_INCLUDE[layer]) or 'nothing but itself'}"
    library = library_of(header)
    if library == "standard":
        return None
    if library not in LIBRARIES[layer]:
        return f"{layer} may use {', '.join(['the standard library'] + LIBRARIES[layer])}, and this is {library}"
    if library in FILES_OF and not any(below(path, place) for place in WHOLE_FOLDER_OF[library]):
        if not name.startswith(FILES_OF[library]):
            return f"{library} belongs in files named {' or '.join(p + '*' for p in FILES_OF[library])}"
    return None


def sources(root):
    for top in ("proto-spec", "sdk", "sequencer", "storage-node", "samples", "tests"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".h", ".cpp", ".def", ".hpp", ".cc", ".c") and path.is_file():
                yield path


def check(root):
    problems, files, arrows = [], 0, 0
    for file in sources(root):
        path = file.relative_to(root).as_posix()
        files += 1
        if file.suffix not in (".h", ".cpp", ".def"):
            problems.append(f"{path}: sources are named .h, .cpp or .def")
        layer = layer_of(path)
        if layer is None:
            problems.append(f"{path}: belongs to no layer of the table")
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if layer not in WRITES_STDERR and path not in WRITES_STDERR and STDERR.search(line):
                problems.append(f"{path}:{number}: stderr is written by proto-spec/console alone, which neither throws nor waits")
            found = INCLUDE.match(line)
            if not found:
                continue
            arrows += 1
            why = problem_of(root, path, layer, found[1], found[2])
            if why:
                problems.append(f"{path}:{number}: {found[2]}: {why}")
    return problems, files, arrows


# The files that may name stderr. check.cpp ends the process anyway.
WRITES_STDERR = {"proto-spec/console", "proto-spec/vocabulary/check.cpp", "proto-spec/model", "samples", "tests"}
STDERR = re.compile(r"\(\s*stderr\b|,\s*stderr\s*\)|\bstd::c(err|log)\b")


# The positive control.
RIGHT = {
    "proto-spec/errors.def": "",
    "proto-spec/messages.def": "",
    "proto-spec/vocabulary/ids.h": "#include <string>\n#include <fmt/format.h>\n",
    "proto-spec/wire/messages.h": '#include <xxhash.h>\n#include "proto-spec/messages.def"\n#include "proto-spec/vocabulary/ids.h"\n',
    "proto-spec/wire/codec.h": "",
    "proto-spec/observe/histogram.h": "#include <array>\n",
    "proto-spec/observe/text.h": "#include <string>\n",
    "proto-spec/session/hello.h": '#include "proto-spec/wire/codec.h"\n',
    "proto-spec/transport/uv_loop.h": "#include <uv.h>\n#include <mutex>\n",
    "proto-spec/http/mhd_server.cpp": "#include <microhttpd.h>\n#include <netdb.h>\n",
    "sequencer/core/machine.h": '#include "proto-spec/wire/messages.h"\n#include "proto-spec/observe/histogram.h"\n',
    "sequencer/app/main.cpp": '#include "sequencer/core/machine.h"\n#include <CLI/CLI.hpp>\n',
    "storage-node/io/uring_file.cpp": "#include <liburing.h>\n#include <sys/uio.h>\n",
    "storage-node/io/posix_file.cpp": "#include <fcntl.h>\n",
    "sdk/include/loglog/client.h": "#include <string>\n",
    "sdk/api/client.cpp": "#include <loglog/client.h>\n",
    "sdk/cli/posix_terminal.cpp": "#include <unistd.h>\n",
    "samples/hello/main.cpp": "#include <loglog/client.h>\n#include <thread>\n",
    "tests/unit/any.cpp": '#include "storage-node/core/x.h"\n#include <uv.h>\n',
    "storage-node/core/x.h": "",
}
WRONG = {
    "proto-spec/vocabulary/a.h": '#include "proto-spec/wire/messages.h"',
    "proto-spec/vocabulary/b.h": "#include <xxhash.h>",
    "proto-spec/wire/a.h": '#include "proto-spec/session/hello.h"',
    "proto-spec/wire/b.h": "#include <uv.h>",
    "proto-spec/disk/a.h": '#include "proto-spec/wire/codec.h"',
    "proto-spec/observe/a.h": "#include <mutex>",
    "proto-spec/observe/b.h": '#include "proto-spec/wire/messages.h"',
    "proto-spec/session/a.h": '#include "proto-spec/transport/uv_loop.h"',
    "proto-spec/transport/a.h": '#include "sequencer/core/machine.h"',
    "proto-spec/transport/b.h": "#include <sys/socket.h>",
    "proto-spec/http/a.h": "#include <microhttpd.h>",
    "proto-spec/http/mhd_a.h": '#include "proto-spec/transport/uv_loop.h"',
    "proto-spec/model/a.h": '#include "proto-spec/vocabulary/ids.h"',
    "sdk/core/a.h": '#include "sequencer/core/machine.h"',
    "sdk/core/b.h": "#include <thread>",
    "sdk/core/c.h": '#include "proto-spec/observe/text.h"',
    "sequencer/core/a.h": '#include "proto-spec/wire/codec.h"',
    "sequencer/core/b.h": "#include <unistd.h>",
    "sequencer/core/c.h": '#include "sequencer/io/uv_driver.h"',
    "sequencer/core/d.h": "#  include <uv.h>",
    "storage-node/core/a.h": '#include "sequencer/core/machine.h"',
    "storage-node/io/a.h": "#include <liburing.h>",
    "storage-node/io/uring_a.h": "#include <uv.h>",
    "storage-node/io/mhd_a.h": "#include <microhttpd.h>",
    "storage-node/io/uv_a.h": "#include <sys/stat.h>",
    "storage-node/io/b.h": "#include <fcntl.h>",
    "storage-node/app/a.h": "#include <uv.h>",
    "sdk/cli/a.h": '#include "tests/unit/any.cpp"',
    "sdk/cli/b.cpp": "#include <unistd.h>",
    "sdk/include/loglog/a.h": "#include <fmt/format.h>",
    "sdk/include/loglog/b.h": '#include "proto-spec/vocabulary/ids.h"',
    "samples/hello/a.h": '#include "storage-node/core/x.h"',
    "sdk/api/a.h": '#include "client.h"',
    "sdk/api/b.h": '#include "sdk/api/missing.h"',
    "sequencer/other/a.h": "",
}


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)

        def write(path, text):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)

        for path, text in RIGHT.items():
            write(path, text)
        write("sequencer/io/uv_driver.h", "")
        problems, _, _ = check(root)
        failures = [f"a right arrow was refused: {p}" for p in problems]
        for path, text in WRONG.items():
            write(path, text + "\n")
            found = [p for p in check(root)[0] if p.startswith(path + ":")]
            if not found:
                failures.append(f"a wrong arrow was not found: {path}: {text}")
            (root / path).unlink()
    for failure in failures:
        print(failure)
    print(f"{len(RIGHT)} right files and {len(WRONG)} planted wrong ones: {len(failures)} misjudged")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    problems, files, arrows = check(pathlib.Path(__file__).resolve().parents[2])
    for problem in problems:
        print(problem)
    print(f"{arrows} includes in {files} files: {len(problems)} wrong")
    return 1 if problems or not files else 0


sys.exit(main())
