#!/usr/bin/env python3
"""Completions: bash, zsh and fish load the script and offer commands, options, files and the
cluster's logs. The manual pages are correct roff."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from cluster import BIN, Cluster, check

LOGLOG = str(BIN / "loglog")


def run(command, **kw):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, text=True, **kw)


def script(shell):
    result = run([LOGLOG, "completions", shell])
    check(result.returncode == 0 and result.stdout, result)
    return result.stdout


def bash(line, folder, environment):
    """The offers of bash for a line with the cursor at its end. Bash splits the line at = and :
    too."""
    program = f"""
set -u
source {folder}/loglog.bash
complete -p loglog loglog-storage loglog-sequencer >/dev/null || exit 9
COMP_LINE=$1 COMP_POINT=${{#1}}
read -ra COMP_WORDS <<<"$(sed -E 's/([=:])/ \\1 /g' <<<"$1")"
[[ $1 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_loglog
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    result = run(["bash", "--norc", "-c", program, "bash", line], cwd=folder, env=environment)
    check(result.returncode == 0 and result.stderr == "", f"bash: {line}: {result}")
    return set(result.stdout.split())


def zsh(line, folder, environment):
    """The words that the function hands to zsh's own _describe."""
    program = f"""
compdef() {{ [[ "$*" == "_loglog loglog loglog-storage loglog-sequencer" ]] || exit 9 }}
compset() {{ : }}
_describe() {{ print -rl -- "${{found[@]}}" }}
_files() {{ print -l ":files" }}
source {folder}/_loglog
words=(${{(z)1}})
[[ $1 == *' ' ]] && words+=('')
CURRENT=${{#words}}
PREFIX=${{words[CURRENT]}}
_loglog || true  # it fails where it offers nothing
"""
    result = run(["zsh", "-f", "-c", program, "zsh", line], cwd=folder, env=environment)
    check(result.returncode == 0 and result.stderr == "", f"zsh: {line}: {result}")
    return {l.split(":")[0] if not l.startswith(":") else l for l in result.stdout.splitlines()}


def fish(line, folder, environment):
    result = run(["fish", "--no-config", "-c", f"source {folder}/loglog.fish; complete -C $argv[1]", line], cwd=folder, env=environment)
    check(result.returncode == 0 and result.stderr == "", f"fish: {line}: {result}")
    return {l.split("\t")[0] for l in result.stdout.splitlines()}


def offers(shell, folder, environment, cluster, word):
    """Checks a shell's offers. `word` is the form in which the shell offers a value behind
    --option=."""
    def at(line):
        return shell(line, folder, environment)

    check({"append", "read", "status", "verify", "storage"} <= at("loglog "), at("loglog "))
    check(at("loglog st") == {"status", "storage"}, at("loglog st"))
    check(at("loglog logs de") == {"delete", "describe"}, at("loglog logs de"))
    check(at("loglog read --form") == {"--format"}, at("loglog read --form"))
    check(at("loglog read --format j") == {"json"}, at("loglog read --format j"))
    check(at("loglog read --format=j") == {word("--format=", "json")}, at("loglog read --format=j"))
    check(at("loglog-storage --io-engine ur") == {"uring"}, at("loglog-storage --io-engine ur"))
    check(at("loglog-sequencer --heart") == {"--heartbeat-ms"}, at("loglog-sequencer --heart"))
    # The names of logs come from the cluster that the environment or the line names.
    check(at("loglog append ev") == {"events", "evening"}, at("loglog append ev"))
    check(at("loglog logs trim o") == {"other"}, at("loglog logs trim o"))
    elsewhere = {**environment, "LOGLOG_CLUSTER": "127.0.0.1:1"}
    begin = time.monotonic()
    check(shell("loglog append ev", folder, elsewhere) == set(), "no cluster, nothing to offer")
    check(time.monotonic() - begin < 10, "and it does not take long to say so")
    check(shell(f"loglog append --cluster {cluster} ev", folder, elsewhere) == {"events", "evening"}, "--cluster of the line is asked")


def manual():
    """Every page passes `man --warnings` without a warning."""
    with tempfile.TemporaryDirectory() as d:
        result = run([LOGLOG, "man", "--output", d])
        check(result.returncode == 0, result)
        pages = sorted(pathlib.Path(d).iterdir())
        check({"loglog.1", "loglog-append.1", "loglog-storage.1", "loglog-sequencer.1", "loglog-logs.1"} <= {p.name for p in pages}, pages)
        for page in pages:
            for locale in ("C", "C.UTF-8"):
                # Warnings of all languages, as the distribution's own check of packages asks for
                # them.
                result = run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)], env={**os.environ, "LC_ALL": locale, "MANROFFSEQ": "", "MANWIDTH": "80"})
                check(result.returncode == 0 and result.stderr == "" and result.stdout, f"{page.name}: {result.stderr}")
            lint = run(["mandoc", "-Tlint", "-Wwarning", str(page)])
            # a page belongs to a version, and has no date
            told = [l for l in lint.stdout.splitlines() if "missing date" not in l]
            check(not told, "\n".join(told))
        text = run(["man", "-l", str(pathlib.Path(d) / "loglog-verify.1")], env={**os.environ, "LC_ALL": "C", "MANWIDTH": "80"}).stdout
        for words in ("loglog-verify - read a log", "--patience TIME", "10  a replica is damaged", "loglog verify events --repair --json"):
            check(words in text, f"'{words}' is on the page: {text}")
        for command in ("", "append"):
            result = run([LOGLOG, "man", *([command] if command else [])])
            name = f"loglog-{command}.1" if command else "loglog.1"
            check(result.stdout == (pathlib.Path(d) / name).read_text(), f"loglog man {command} prints the page")
    check(run([LOGLOG, "man", "nonsense"]).returncode == 2, "there is no page of what is no command")


def main():
    manual()
    print("manual: ok")
    with Cluster(sequencers=1, storage=1) as c, tempfile.TemporaryDirectory() as d:
        for name in ("events", "evening", "other"):
            c.create(name)
        for name, shell in (("loglog.bash", "bash"), ("_loglog", "zsh"), ("loglog.fish", "fish")):
            (pathlib.Path(d) / name).write_text(script(shell))
        (pathlib.Path(d) / "some file").write_text("")
        environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": d, "LOGLOG_CLUSTER": c.addresses(), "LC_ALL": "C.UTF-8"}
        for shell, word in ((bash, lambda before, value: value), (zsh, lambda before, value: before + value), (fish, lambda before, value: before + value)):
            check(shutil.which(shell.__name__), f"{shell.__name__} is installed (samples/install_packages.sh tests)")
            offers(shell, d, environment, c.addresses(), word)
            print(f"{shell.__name__}: ok")
        check("loglog.bash" in bash("loglog inspect log", d, environment), "bash lists files")
        check(":files" in zsh("loglog inspect log", d, environment), "zsh is told to list files")
        check("loglog.fish" in fish("loglog inspect log", d, environment), "fish lists files")


main()
