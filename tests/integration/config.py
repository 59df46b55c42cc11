#!/usr/bin/env python3
"""Options from the command line, the environment and a TOML file: their precedence, refusals, and
reloading by SIGHUP.
The sample files must name every option, and the systemd units must start the right programs."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

from cluster import BIN, check, free_ports

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "samples/deploy"
ACTIONS = {"--help", "--version", "--config", "--check-config"}


def run(program, *args, **environment):
    r = subprocess.run([str(BIN / program), *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20,
                       env=dict(os.environ, **environment))
    return r.returncode, r.stdout


def accepted(program, *args, **environment):
    code, text = run(program, *args, "--check-config", **environment)
    check(code == 0, f"{program} {args}: {code} {text}")
    return text


def refused(program, *args, words=(), **environment):
    code, text = run(program, *args, "--check-config", **environment)
    check(code == 2, f"{program} {args} ends with 2: {code} {text}")
    for word in words:
        check(word in text, f"'{word}' is said: {text}")


def samples_are_whole():
    for program, sample in (("loglog-storage", "storage.toml"), ("loglog-sequencer", "sequencer.toml")):
        named = set(re.findall(r"^([a-z-]+) =", (SAMPLES / sample).read_text(), re.M))
        options = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", run(program, "--help")[1], re.M)) - ACTIONS
        check(options == {"--" + n for n in named}, f"{sample} names every option: {options ^ {'--' + n for n in named}}")
        accepted(program, "--config", SAMPLES / sample)


def who_comes_first(d):
    file = d / "storage.toml"
    file.write_text('id = 3\ncluster-name = "c"\nlisten = "127.0.0.1:0"\ndata = "d"\nstaging-bytes = 50_000_000\nverify-uploads = false\n')
    text = accepted("loglog-storage", "--config", file)
    for word in ("id 3", "staging-bytes 50000000", "verify-uploads off", f"from {file}: cluster-name"):
        check(word in text, f"'{word}' is said: {text}")
    text = accepted("loglog-storage", "--config", file, LOGLOG_STORAGE_ID="4", LOGLOG_STORAGE_STAGING_BYTES="60000000")
    check("id 4" in text and "staging-bytes 60000000" in text, f"the environment comes before the file: {text}")
    text = accepted("loglog-storage", "--config", file, "--id", 5, LOGLOG_STORAGE_ID="4")
    check("id 5" in text, f"the command line comes before the environment: {text}")
    check("id 3" in accepted("loglog-storage", LOGLOG_STORAGE_CONFIG=str(file)), "the environment may name the file")


def what_is_refused(d):
    file = d / "wrong.toml"
    for content, *words in (
            ("id = 1\nstagingbytes = 5\n", f"{file}:2", "stagingbytes", "did you mean staging-bytes"),
            ("id = = 1\n", f"{file}:1"),
            ("id = 1.5\n", f"{file}:1", "id"),
            ('id = 1\ncheck-config = true\n', "check-config"),
            ('id = 1\ncluster-name = "c"\nlisten = "127.0.0.1:0"\ndata = "d"\nio-engine = "fast"\n', "io-engine", "fast"),
            ('id = 1\ncluster-name = "c"\nlisten = "127.0.0.1:0"\ndata = "d"\nstaging-bytes = 1\n', "staging-bytes 1", "33554518")):
        file.write_text(content)
        refused("loglog-storage", "--config", file, words=words)
    refused("loglog-storage", "--config", d / "missing.toml", words=["missing.toml"])
    refused("loglog-storage", "--lisen", "x", words=["loglog-storage has no option --lisen; did you mean --listen?"])
    refused("loglog-sequencer", "--halp", words=["did you mean --help?"])
    refused("loglog-storage", "--id", "x", words=["--id", "give a number"])
    refused("loglog-storage", "--id", "1", words=["--cluster-name is required"])
    whole = ["--id", "1", "--cluster-name", "c", "--listen", "127.0.0.1:0", "--data", "d"]
    refused("loglog-storage", *whole, "--staging-bytes", "1Gb", words=["--staging-bytes: 1Gb is no size; write 1GiB"])
    refused("loglog-storage", *whole, "--log-level", "loud", words=["--log-level loud: give debug, info"])
    text = accepted("loglog-storage", *whole, "--staging-bytes", "256MiB", "--spare-bytes", "1GiB")
    check("staging-bytes 268435456" in text and "spare-bytes 1073741824" in text, text)
    refused("loglog-sequencer", "--config", SAMPLES / "sequencer.toml", "--storage", "x", words=["ID=HOST:PORT"])


def hangup(d):
    """SIGHUP changes the log level while the node runs. An option that needs a restart is named,
    and a bad file changes nothing."""
    file, log = d / "node.toml", d / "node.log"
    base = f'id = 1\ncluster-name = "c"\nlisten = "127.0.0.1:{free_ports(1)[0]}"\ndata = "{d / "data"}"\n'
    file.write_text(base + 'log-level = "info"\n')
    with log.open("w") as out:
        p = subprocess.Popen([str(BIN / "loglog-storage"), "--config", str(file)], stderr=out)

    def said(word, times=1):
        for _ in range(400):
            if log.read_text().count(word) >= times:
                return
            check(p.poll() is None, f"it runs: {log.read_text()}")
            time.sleep(0.025)
        check(False, f"'{word}' is said {times} times: {log.read_text()}")

    try:
        said("serves on")
        file.write_text(base + 'log-level = "debug"\nstaging-bytes = 40_000_000\n')
        p.send_signal(signal.SIGHUP)
        said("read again")
        said("need a restart")
        file.write_text("id = \n")
        p.send_signal(signal.SIGHUP)
        said("stay as they are")
        file.write_text(base + 'log-level = "warning"\nstaging-bytes = 50_000_000\n')
        p.send_signal(signal.SIGHUP)
        said("need a restart", 2)
        file.write_text("id = \n")
        p.send_signal(signal.SIGHUP)
        # the reload before has ended, and its level info allows a message that the next level
        # suppresses
        said("stay as they are", 2)
        check(log.read_text().count("read again") == 1, f"level warning holds: {log.read_text()}")
    finally:
        p.terminate()
        check(p.wait(timeout=20) == 0, "it stops cleanly")


def units_are_valid(d):
    if shutil.which("systemd-analyze") is None:
        print("config: no systemd-analyze, the units were not looked at")
        return
    units = []
    for unit in sorted((SAMPLES / "systemd").glob("*.service")):
        text = unit.read_text()
        check(text.count(f"/usr/bin/{unit.stem} --config") == 2, f"{unit.name} starts {unit.stem}")
        # A disk error or a busy port of a few seconds must not leave the unit failed:
        # systemd tries for ever, but after the codes that no repetition mends.
        check("\nStartLimitIntervalSec=0\n" in text and "\nRestart=always\n" in text, f"{unit.name} starts again for ever")
        given_up = re.search(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
        check(given_up and given_up[1].split() == ["2", "3", "5", "6"], f"{unit.name} starts again after 4 (unreadable), 7 (address) and 8 (disk)")
        units.append(d / unit.name)
        units[-1].write_text(text.replace("/usr/bin/loglog", str(BIN.resolve() / "loglog")))
    check(len(units) == 2, "two units")
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, units)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       timeout=60)
    check(r.returncode == 0 and str(d) not in r.stdout, f"systemd takes the units: {r.stdout}")


def main():
    samples_are_whole()
    with tempfile.TemporaryDirectory() as d:
        who_comes_first(pathlib.Path(d))
        what_is_refused(pathlib.Path(d))
        hangup(pathlib.Path(d))
        units_are_valid(pathlib.Path(d))
    print("config: ok")


if __name__ == "__main__":
    main()
