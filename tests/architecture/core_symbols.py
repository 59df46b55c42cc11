#!/usr/bin/env python3
"""Architecture: the objects of the three cores call no clock, socket, file, thread or source of
chance. nm lists their undefined symbols.

    tests/architecture/core_symbols.py BUILD_DIR

First a positive control: small sources that make each kind of call are compiled and must be found.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

CORES = {"sdk/core": "loglog_sdk_core", "sequencer/core": "loglog_sequencer_core", "storage-node/core": "loglog_storage_core"}

# Whole C names; a version suffix (@GLIBC...) and the fortified form (__read_chk) are removed first.
C_NAMES = {
    "clock": "clock clock_gettime clock_nanosleep gettimeofday time nanosleep sleep usleep localtime localtime_r gmtime "
             "timer_create timerfd_create setitimer alarm",
    "socket": "socket socketpair connect bind listen accept accept4 send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg "
              "poll ppoll select epoll_create1 epoll_ctl epoll_wait getaddrinfo shutdown setsockopt pipe pipe2 eventfd",
    "file": "open open64 openat openat64 creat close read write pread pread64 pwrite pwrite64 readv writev preadv pwritev "
            "fsync fdatasync sync_file_range ftruncate ftruncate64 fallocate posix_fallocate mmap mmap64 munmap rename renameat "
            "unlink unlinkat mkdir mkdirat rmdir opendir readdir stat fstat lstat flock fcntl fcntl64 fopen fopen64 fclose fread "
            "fwrite fputs fputc fprintf printf puts putchar fflush remove stdin stdout stderr",
    "thread": "thrd_create fork vfork clone execve execvp posix_spawn system signal sigaction raise kill",
    "chance": "rand srand random srandom rand_r drand48 getrandom getentropy arc4random",
    "environment": "getenv secure_getenv getpid gethostname",
}
PATTERNS = {
    "clock": r"_ZNSt6chrono.*_clock.*3nowE.*",
    "socket": r"uv_\w+",
    "file": r"io_uring_\w+|_ZNK?St10filesystem.*|_ZNK?St12__basic_file.*|_ZNK?St1[0-9]basic_[io]?f(ile|stream).*|"
            r"_ZNK?St13basic_filebuf.*|_ZSt4c(out|err|in|log)|_ZN3fmt.*6vprintE.*",
    "thread": r"pthread_\w+|_ZNK?St6thread.*|_ZNSt18condition_variable.*|_ZNSt17__new_.*|_ZNSt13__future_base.*|_ZNSt15__exception_ptr.*rethrow.*",
    "chance": r"_ZNSt13random_device.*",
}
KIND_OF = {name: kind for kind, names in C_NAMES.items() for name in names.split()}

CONTROLS = {
    "clock": "#include <chrono>\nlong f() { return std::chrono::steady_clock::now().time_since_epoch().count(); }",
    "socket": "#include <sys/socket.h>\nint f() { return socket(AF_INET, SOCK_STREAM, 0); }",
    "file": "#include <fstream>\nbool f() { return std::ifstream(\"x\").good(); }",
    "thread": "#include <thread>\nvoid f() { std::thread([] {}).join(); }",
    "chance": "#include <random>\nunsigned f() { return std::random_device()(); }",
    "environment": "#include <cstdlib>\nbool f() { return std::getenv(\"X\") != nullptr; }",
}


def kind_of(symbol):
    name = re.sub(r"@.*$", "", symbol)
    plain = re.sub(r"^__(\w+)_chk$", r"\1", name)
    if plain in KIND_OF:
        return KIND_OF[plain]
    return next((kind for kind, pattern in PATTERNS.items() if re.fullmatch(pattern, name)), None)


def forbidden_in(obj):
    out = subprocess.run(["nm", "-u", obj], check=True, capture_output=True, text=True).stdout
    symbols = [line.split()[-1] for line in out.splitlines() if line.strip()]
    return [(kind, s) for s in symbols if (kind := kind_of(s))]


def controls():
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        source, obj = pathlib.Path(folder) / "control.cpp", pathlib.Path(folder) / "control.o"
        for kind, text in {**CONTROLS, None: "#include <map>\n#include <string>\nstd::map<std::string, int> f() { return {{\"x\", 1}}; }"}.items():
            source.write_text(text + "\n")
            subprocess.run(["g++", "-std=c++20", "-O1", "-c", source, "-o", obj], check=True)
            found = {k for k, _ in forbidden_in(obj)}
            if kind is None and found:
                failures.append(f"positive control: a harmless object is accused of {found}")
            if kind is not None and kind not in found:
                failures.append(f"positive control: an object that uses a {kind} was not found out")
    return failures


def objects_of(root, folder):
    """Yields (object, its sources) of a target: a unity object holds the sources that its generated
    file includes."""
    unity = sorted((folder / "Unity").glob("*.cxx")) if (folder / "Unity").is_dir() else []
    if not unity:
        return [(obj, [obj.relative_to(folder).as_posix()[:-2]]) for obj in sorted(folder.rglob("*.cpp.o"))]
    return [(pathlib.Path(f"{u}.o"), [pathlib.Path(p).resolve().relative_to(root).as_posix() for p in re.findall(r'#include "(.*)"', u.read_text())])
            for u in unity if pathlib.Path(f"{u}.o").exists()]


def main():
    if len(sys.argv) != 2:
        print("core_symbols.py: give the build directory, such as build/release")
        return 2
    root, build = pathlib.Path(__file__).resolve().parents[2], pathlib.Path(sys.argv[1])
    problems = controls()
    count = 0
    for core, target in CORES.items():
        objects = objects_of(root, build / f"CMakeFiles/{target}.dir")
        covered = {path for _, sources in objects for path in sources}
        for source in sorted((root / core).rglob("*.cpp")):
            path = source.relative_to(root).as_posix()
            if path not in covered:
                problems.append(f"{path}: no object of {target} holds it; build first")
        for obj, sources in objects:
            count += 1
            calls = {}
            for kind, symbol in forbidden_in(obj):
                calls.setdefault(kind, []).append(symbol)
            for kind, symbols in calls.items():
                shown = subprocess.run(["c++filt", *symbols[:3]], capture_output=True, text=True).stdout.split("\n")
                problems.append(f"{', '.join(sources)}: reaches for a {kind}: {'; '.join(s[:90] for s in shown if s)}")
    for problem in problems:
        print(problem)
    print(f"{count} core objects, {len(CONTROLS)} positive controls: {len(problems)} problems")
    return 1 if problems or not count else 0


sys.exit(main())
