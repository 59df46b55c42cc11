#!/usr/bin/python3
"""The status page in headless Chromium against a real cluster: a healthy cluster, a cluster that
lost a storage node, its leader or its quorum, and a cluster that came back. Screenshots go below
$TMPDIR, or to build/tests/tmp.

/usr/bin/python3 by name, because the packaged interpreter has the packaged selenium."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from cluster import Cluster, check, free_ports

ROOT = pathlib.Path(__file__).resolve().parents[2]
PICTURES = pathlib.Path(os.environ.get("TMPDIR") or ROOT / "build/tests/tmp") / "status_page"
NAME = '<img src=x onerror="window.hurt=1">&<b>c'  # a cluster's name may be any text
PATIENCE = 60


class Watched(Cluster):
    def __init__(self):
        super().__init__(name=NAME)
        self.pages = dict(zip(self.sequencers, free_ports(len(self.sequencers))))

    def command(self, name):
        extra = ["--http", f"127.0.0.1:{self.pages[name]}"] if name in self.pages else []
        return [*super().command(name), *extra]

    def url(self, name, path="/"):
        return f"http://127.0.0.1:{self.pages[name]}{path}"

    def figures(self, name):
        with urllib.request.urlopen(self.url(name, "/status.json"), timeout=10) as answer:
            return json.load(answer)


class Browser:
    def __enter__(self):
        self.profile = tempfile.mkdtemp(prefix="loglog-chromium-")
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("headless=new", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update",
                     "disable-sync", "disable-dev-shm-usage", "hide-scrollbars", f"user-data-dir={self.profile}"):
            options.add_argument("--" + flag)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(30)
        self.driver.set_script_timeout(30)
        self.shape(1280, "light")
        return self

    def __exit__(self, *_):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def shape(self, width, scheme, height=900):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 2 if width < 500 else 1, "mobile": width < 500})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def ask(self, script):
        return self.driver.execute_script("return " + script)

    def text(self, css):
        return self.ask(f"[...document.querySelectorAll({json.dumps(css)})].map(e => e.innerText).join('\\n')")

    def until(self, what, script):
        """Waits until the script returns a true value, and returns it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            got = self.ask(script)
            if got:
                return got
            check(time.monotonic() < deadline, f"{what}: {self.text('main')}")
            time.sleep(0.1)

    def picture(self, name):
        """Takes screenshots for desk and phone, by day and by night. Nothing may overflow to the
        right."""
        backgrounds = set()
        for width, place in ((1280, "desk"), (360, "phone")):
            for scheme in ("light", "dark"):
                self.shape(width, scheme)
                wide = self.ask("document.documentElement.scrollWidth")
                check(wide <= width and self.ask("innerWidth") == width, f"{name}: {wide} pixels on a screen of {width}")
                backgrounds.add(self.ask("getComputedStyle(document.body).backgroundColor"))
                self.shape(width, scheme, self.ask("document.documentElement.scrollHeight"))
                time.sleep(0.1)  # the page is drawn anew for that size
                self.driver.save_screenshot(str(PICTURES / f"{name}-{place}-{scheme}.png"))
        check(len(backgrounds) == 2, f"light and dark differ: {backgrounds}")
        self.shape(1280, "light")

    def errors(self):
        """The console's errors since the last call, without those about a server that was killed.
        """
        return [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE" and "ERR_CONNECTION_REFUSED" not in e["message"]]


class Appender:
    """Appends small entries with the command line until it is stopped."""

    def __init__(self, cluster, log):
        self.process = cluster.popen("append", log, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.going = True
        self.thread = threading.Thread(target=self.feed)
        self.thread.start()

    def feed(self):
        while self.going:
            self.process.stdin.write(b"".join(b"entry %d with some bytes more\n" % i for i in range(20)))
            self.process.stdin.flush()
            time.sleep(0.05)

    def stop(self):
        self.going = False
        self.thread.join()
        _, said = self.process.communicate(timeout=PATIENCE)
        check(self.process.returncode == 0, f"every append was committed: {said.decode(errors='replace')}")


COMMITTED = """(() => { const l = document.querySelector('[data-log=events]');
                        const m = l && /committed ([0-9\\u202f]+)/.exec(l.innerText); return m ? Number(m[1].replace(/\\u202f/g, '')) : 0; })()"""


def header_is_strict(cluster, name):
    with urllib.request.urlopen(cluster.url(name), timeout=10) as answer:
        policy = answer.headers["Content-Security-Policy"]
        page = answer.read().decode()
        check(answer.headers["Content-Type"] == "text/html; charset=utf-8", answer.headers["Content-Type"])
        check(answer.headers["X-Content-Type-Options"] == "nosniff", "nothing is sniffed")
    nonce = re.search(r"script-src 'nonce-([A-Za-z0-9+/=_-]{16,})'", policy)
    check(policy.startswith("default-src 'none'") and nonce is not None, policy)
    check(page.count(f'nonce="{nonce[1]}"') == 2 and page.count("<script") == 1 and page.count("<style") == 1, "one script, one style")
    with urllib.request.urlopen(cluster.url(name), timeout=10) as answer:
        check(nonce[1] not in answer.headers["Content-Security-Policy"], "a nonce is used once")


def healthy(cluster, browser, leader):
    browser.until("all is well", "document.querySelector('#alarms .fine') !== null")
    check(browser.text(".leader h3") == "Sequencer " + leader[-1], browser.text("#sequencers"))
    states = browser.ask("[...document.querySelectorAll('#sequencers li')].map(e => e.dataset.role).sort().join()")
    check(states == "follower,follower,leader", states)
    states = browser.ask("[...document.querySelectorAll('#storage li')].map(e => e.dataset.condition).join()")
    check(states == "up,up,up", states)
    for address in [*cluster.sequencers.values(), *cluster.storage.values()]:
        check(address in browser.text("#cluster"), f"{address} is shown")
    check(browser.ask("[...document.querySelectorAll('#wires path')].length") == 3, "a line to each storage node")
    # The cluster's name is shown as text.
    check(browser.text("#name") == NAME, browser.text("#name"))
    check(browser.ask("window.hurt === undefined && document.images.length === 0"), "markup in a name stays text")


def appends_are_seen(browser):
    before = browser.until("something is committed", COMMITTED)
    browser.until("the committed offset moves", f"{COMMITTED} > {before}")
    browser.until("throughput is drawn", "document.querySelectorAll('#chart-bytes .curve, #chart-latency .curve.second').length >= 2")
    browser.until("and said", "/^[1-9]/.test(document.querySelector('#chart-bytes .now').innerText)")
    check(re.match(r"p50\s[0-9.]+\s(ms|s)", browser.text("#chart-latency .now")), browser.text("#chart-latency"))
    label = browser.ask("document.querySelector('#chart-appends svg').getAttribute('aria-label')")
    check(re.match(r"Appends since 1 min ago: now [0-9.]+", label), label)
    # The page shows the writer with its own name, address, log and rate.
    row = browser.until("the writer is named", "(document.querySelector('[data-writer=loglog]') || {}).innerText")
    check(re.search(r"127\.0\.0\.1:\d+", row) and "events" in row and re.search(r"[1-9][0-9.]*\s?k?/s", row), row)
    browser.until("what the log takes on disk is said", "/[1-9].* on disk/.test(document.querySelector('[data-log=events]').innerText)")


def all_show_the_same(cluster, browser, leader):
    """Once nothing changes any more, all sequencers give the same answer except for their own name,
    and each page shows it."""
    def told(name):
        f = cluster.figures(name)
        return {k: f[k] for k in ("cluster", "leader", "term", "raft_term", "alarms", "sequencers", "logs_total", "logs")} | {
            "storage": [{k: n[k] for k in ("id", "address", "condition")} for n in f["storage"]]}

    deadline = time.monotonic() + PATIENCE
    while True:
        views = {name: told(name) for name in cluster.sequencers}
        if all(v == views[leader] for v in views.values()):
            break
        check(time.monotonic() < deadline, f"all tell the same: {json.dumps(views, indent=1)}")
        time.sleep(0.2)
    check(cluster.figures(leader)["source"] == "leads", "the leader says so")
    shown = set()
    for name in cluster.sequencers:
        check(name == leader or cluster.figures(name)["source"] == "leader_told", "a follower asks the leader")
        browser.driver.get(cluster.url(name))
        browser.until("the page is filled", "document.querySelector('[data-log=events]') !== null")
        parts = "".join(browser.text(css) for css in ("#alarms", "#sequencers", "#logs"))
        check(", serves this page" in parts, parts)
        shown.add(parts.replace(", serves this page", ""))
    check(len(shown) == 1, f"the pages are the same: {shown}")


def nothing_comes_from_elsewhere(cluster, browser, name, other):
    origin = cluster.url(name, "")
    names = browser.ask("performance.getEntriesByType('resource').map(e => e.name).concat(location.href)")
    check(len(names) > 1 and all(n.startswith(origin + "/") for n in names), names)
    check(not browser.errors(), "the console is quiet")
    # The policy holds: a script that got into the page could reach no server, and would not run.
    blocked = browser.driver.execute_async_script("const done = arguments[1]; fetch(arguments[0]).then(() => done('reached'), e => done('blocked'));",
                                                  cluster.url(other, "/status.json"))
    check(blocked == "blocked", "another address is not asked")
    browser.driver.execute_script("const s = document.createElement('script'); s.textContent = 'window.hurt = 2'; document.body.append(s);")
    check(browser.ask("window.hurt === undefined"), "a script without the nonce does not run")
    check(any("Content Security Policy" in m for m in browser.errors()), "and the console says so")


def alarm(browser, name):
    """The page's text about an alarm, once the alarm is there."""
    text = browser.until(f"alarm {name}", f"(document.querySelector('[data-alarm={name}]') || {{}}).innerText")
    check("What to do:" in text, text)
    return text


def node_dies(cluster, browser):
    cluster.kill("node2")
    text = alarm(browser, "node-unreachable")
    check("Storage node 2 at " + cluster.storage["node2"] in text and "Start it with the data directory it had" in text, text)
    check("stops appends to" in alarm(browser, "log-no-spare"), "and what it means for the logs")
    browser.until("its card says so", "document.querySelector('#storage [data-node=\"2\"]').dataset.condition === 'unreachable'")
    feeding = Appender(cluster, "events")
    browser.until("its replica falls behind", "/[1-9].*s/.test(document.querySelector('[data-log=events] tr[data-node=\"2\"]').cells[3].innerText)")
    # Each alarm links to its explanation.
    browser.driver.find_element(By.CSS_SELECTOR, "[data-alarm=node-unreachable] a").click()
    check(browser.ask("document.getElementById('about-node-unreachable').getBoundingClientRect().height > 0"), "the meaning is shown")
    browser.ask("(() => { document.getElementById('meanings').open = false; history.replaceState(null, '', '/'); scrollTo(0, 0); })()")
    browser.picture("node-lost")
    feeding.stop()


def full_disk_is_on_its_card(browser):
    """The card of a node whose disk is full is not green while an alarm above it says so. The
    page's own answers are changed on their way, because the disks of this test are not full."""
    browser.ask("""(() => {
        const before = window.fetch;
        window.fetch = async (...asked) => {
            const answer = await before(...asked), status = await answer.json();
            status.storage.find(n => n.id === 3).logs_without_space = 2;
            return new Response(JSON.stringify(status), { status: answer.status });
        };
        window.asBefore = () => { window.fetch = before; };
    })()""")
    card = """document.querySelector('#storage [data-node="3"]')"""
    browser.until("the card says that the disk is full", f"{card}.innerText.includes('disk full') && {card}.querySelector('.bad') !== null")
    browser.ask("window.asBefore()")
    browser.until("and no longer", f"!{card}.innerText.includes('disk full')")


def leader_dies(cluster, browser, leader):
    browser.driver.get(cluster.url(leader))
    browser.until("the page is filled", "document.querySelector('[data-log=events]') !== null")
    cluster.kill(leader)
    stale = browser.until("the page says that it is old", "document.body.classList.contains('old') && document.getElementById('stale').innerText")
    check("Not updated for" in stale and "Open the page of another sequencer" in stale, stale)
    browser.shape(1280, "light", browser.ask("document.documentElement.scrollHeight"))
    browser.driver.save_screenshot(str(PICTURES / "not-updated-desk-light.png"))
    browser.shape(1280, "light")
    other = next(n for n in cluster.sequencers if n != leader)
    browser.driver.get(cluster.url(other))
    now = browser.until("another one leads", "(document.querySelector('.leader h3') || {}).innerText")
    check(now != "Sequencer " + leader[-1], now)
    check(f"Sequencer {leader[-1]} at " in alarm(browser, "sequencer-unreachable"), "and the old one is missed")
    return "seq" + now[-1]


def quorum_goes(cluster, browser, leader):
    """The last of three sequencers still shows its knowledge, and the reason why nothing can be
    appended."""
    last = next(n for n in cluster.running if n in cluster.sequencers and n != leader)
    browser.driver.get(cluster.url(last))
    browser.until("offsets are known", COMMITTED)
    cluster.kill(leader)
    text = alarm(browser, "no-quorum")
    check("reaches 1 of 3 sequencers" in text and "Nothing can be appended" in text, text)
    check(browser.ask(COMMITTED) > 0, "the offsets of old are still there")
    check(re.search(r"offsets are .* old", browser.text("#logs-note")), browser.text("#logs-note"))
    browser.picture("no-quorum")


def leader_hangs(cluster, browser):
    """A leader whose process is stopped answers nobody; pages do without it within a second."""
    leader = cluster.leader()
    follower = next(n for n in cluster.sequencers if n != leader)
    check(cluster.figures(follower)["source"] == "leader_told", "a follower asks the leader")
    cluster.running[leader].send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    told = cluster.figures(follower)
    took = time.monotonic() - begun
    check(told["source"] in ("leader_silent", "no_leader") and told["alarms"], told)
    # 0.7 s, and the delay that a loaded machine adds
    check(took < 5, f"{took:.1f} s for an answer without the leader")
    check(any(l["committed"] for l in told["logs"]), "the offsets of old are there")
    browser.driver.get(cluster.url(follower))
    browser.until("another one leads", f"![undefined, 'Sequencer {leader[-1]}'].includes((document.querySelector('.leader h3') || {{}}).innerText)")
    cluster.running[leader].send_signal(signal.SIGCONT)
    browser.until("all is well again", "document.querySelector('#alarms .fine') !== null")


def main():
    PICTURES.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with Watched() as cluster, Browser() as browser:
        cluster.create("events")
        cluster.create("team-a/audit.v2")
        leader = cluster.leader()
        follower = next(n for n in cluster.sequencers if n != leader)
        header_is_strict(cluster, follower)
        feeding = Appender(cluster, "events")
        browser.driver.get(cluster.url(follower))
        healthy(cluster, browser, leader)
        appends_are_seen(browser)
        browser.picture("healthy")
        feeding.stop()
        browser.until("a writer that has gone is shown no more", "document.querySelector('[data-writer]') === null")
        all_show_the_same(cluster, browser, leader)
        browser.driver.get(cluster.url(follower))
        browser.until("the page is filled", "document.querySelector('[data-log=events]') !== null")
        nothing_comes_from_elsewhere(cluster, browser, follower, leader)
        full_disk_is_on_its_card(browser)
        node_dies(cluster, browser)
        second = leader_dies(cluster, browser, leader)
        quorum_goes(cluster, browser, second)
        cluster.start_all()
        browser.until("all is well again", "document.querySelector('#alarms .fine') !== null")
        leader_hangs(cluster, browser)
        check(not browser.errors(), "the console is quiet")
    print(f"status page: ok, {time.monotonic() - begun:.0f} s, pictures in {PICTURES}")


if __name__ == "__main__":
    main()
