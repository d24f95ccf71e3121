"""Goes through the portal in a real browser: every journey, and every page as every role.

    python run.py --postledger PROGRAM | --base URL [--links FILE] [--link-command COMMAND] [--values FILE]
                  [--tier quick|full] [--only REGEX] [--pictures FOLDER] [--json]

- quick: each journey once; each page once as each of its roles over a full ledger, and as an admin over a hostile one.
- full: each journey with scripts and without; each page as each role over a full, an empty and a hostile ledger, in light and
  dark, at 1280 and 320 pixels, with scripts and without, and with forced colours, with reduced motion and as printed; and the
  keyboard on each.

With `--postledger` the ledgers are started and filled here (product.py). With `--base` the pages of one that is there already are
looked at; journeys need more than a URL, and are left out.

Prints a line for each, on a terminal in full only the last one and what failed; then each failure with its cause and place; and
ends with status 1 where there is one. Whole pages are in target/browser as pictures: in full those with scripts, and wherever
something failed.

Run it by .tools/browser/bin/python, which `make browser-tools` makes.
"""

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import queue
import re
import signal
import sys
import threading
import time
import traceback

import checks
import harness
import journeys
import pages
import product

HERE = pathlib.Path(__file__).resolve().parent
# What journeys are made of, and what runs them.
OURS = ("checks.py", "harness.py", "product.py", "run.py")
# Chromium has processes of its own, and while one page is loaded another one may be looked at.
WORKERS_MAX = 2
# Where the lines of a full run go to a file or to CI, every so many of them are printed.
LINES_APART = 50


def main():
    arguments = parse_arguments()
    # So that whoever ends this ends the programs under test too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("run.py: somebody ended it"))
    harness.SCREENSHOTS = pathlib.Path(arguments.pictures).resolve()
    try:
        with contextlib.ExitStack() as stack:
            if arguments.postledger:
                ledgers = stack.enter_context(product.ledgers(arguments.postledger, pages.LEDGERS))
            else:
                links = harness.Links(arguments.base, read(arguments.links), arguments.link_command)
                ledgers = {pages.FULL: Given(arguments.base, links, read(arguments.values))}
            runner = Runner(ledgers, tier=arguments.tier, only=arguments.only, workers=arguments.workers,
                            tell=None if arguments.json else Teller(arguments.tier),
                            journeyed=journeys.JOURNEYS if arguments.postledger else ())
            results = runner.run()
    except harness.Broken as error:
        print(f"run.py: {error}", file=sys.stderr)
        raise SystemExit(1)
    failed = [result for result in results if result.problems]
    if arguments.json:
        print(json.dumps({"results": [dataclasses.asdict(result) for result in results], "failed": len(failed)}, indent=2))
    else:
        summarise(results, failed, runner)
    if not results:
        print(f"run.py: nothing matches {arguments.only!r}", file=sys.stderr)
    raise SystemExit(1 if failed or not results else 0)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Goes through the portal in a real browser.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--postledger", metavar="PROGRAM", help="the program under test; its ledgers are started and filled here")
    where.add_argument("--base", metavar="URL", help="where a portal is; its pages are looked at, without journeys")
    parser.add_argument("--links", metavar="FILE", help='one-use links to sign in by: {"viewer": "https://…" or a list of them}')
    parser.add_argument("--link-command", metavar="COMMAND", help="prints such a link, for {role} at {base}")
    parser.add_argument("--values", metavar="FILE", help='what fills the paths of pages: {"server": 8123456}')
    parser.add_argument("--tier", choices=("quick", "full"), default="quick", help="how much [default: quick]")
    parser.add_argument("--only", metavar="REGEX", default="", help="only what has this in its line: page, role, ledger or setting")
    parser.add_argument("--pictures", metavar="FOLDER", default=harness.SCREENSHOTS,
                        help="where pictures go [default: target/browser]")
    parser.add_argument("--workers", type=int, default=min(WORKERS_MAX, os.cpu_count() or 1), help="browsers at once [default: 2]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def read(path):
    if not path:
        return {}
    try:
        return json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError) as error:
        raise harness.Broken(f"{path} cannot be read: {error}") from None


def say(text):
    print(text, flush=True)


class Teller:
    """Prints the line of each result. A full run has thousands: on a terminal the last one stands, what failed stays, and
    elsewhere every so many are printed."""

    def __init__(self, tier):
        self._quick, self._terminal, self._start, self._failed = tier == "quick", sys.stdout.isatty(), time.monotonic(), 0

    def __call__(self, done, of, result):
        self._failed += bool(result.problems)
        counted = f"[{done:{len(str(of))}}/{of}]"
        if self._quick or result.problems:
            return say(("\r\x1b[K" if self._terminal else "") + f"{counted} {result.line()}")
        left = (time.monotonic() - self._start) / done * (of - done)
        line = f"{counted} {self._failed} failed, {left / 60:.0f} min left: {result.name} {result.role} {result.ledger} {result.setting}"
        if self._terminal:
            print(f"\r\x1b[K{line}", end="\n" if done == of else "", flush=True)
        elif done % LINES_APART == 0 or done == of:
            say(line)


@dataclasses.dataclass
class Result:
    """What came of one page as one role under one setting, or of one journey."""

    kind: str
    name: str
    role: str
    ledger: str
    setting: str
    milliseconds: int = 0
    load_milliseconds: int | None = None
    bytes: int | None = None
    axe: int | None = None
    problems: list = dataclasses.field(default_factory=list)

    def line(self):
        weighs = "" if self.bytes is None else f"{self.bytes / 1024:6.1f} KB"
        violations = "" if self.axe is None else f"axe {self.axe}"
        loaded = self.milliseconds if self.load_milliseconds is None else self.load_milliseconds
        return (f"{'FAIL' if self.problems else 'ok':4} {self.name:32} {self.role:8} {self.ledger:7} {self.setting:21} {loaded:6} ms "
                f"{weighs:>10} {violations}").rstrip()


@dataclasses.dataclass(frozen=True)
class Case:
    """What is done by one worker: a page as a role over a ledger, or a journey (`page` is none)."""

    name: str
    role: str
    ledger: str
    setting: harness.Setting
    page: pages.Page | None = None
    journey: object = None

    def label(self):
        return " ".join(word for word in (self.name, self.role, self.ledger, self.setting.name) if word)


class Given:
    """A ledger that is there already: where its portal is, links to sign in by, and what fills the paths of pages."""

    def __init__(self, base, links, values=None):
        self.base, self._links, self._values = base, links, values or {}

    def sign_in(self, page, role):
        pages.by_link(page, self._links.take(role))

    def value(self, name):
        return self._values[name]


class Run:
    """What a journey is given."""

    _people = itertools.count(1)

    def __init__(self, runner, browser, setting, stack):
        self._runner, self._browser, self._setting, self._stack = runner, browser, setting, stack
        self.ledgers, self.visits = runner.ledgers, []

    def visit(self, role, ledger=pages.FULL, **changes):
        """A visit as a role; `changes` are of the setting, such as `width=320`. It lasts until the journey ends."""
        setting = dataclasses.replace(self._setting, **changes)
        session = self._runner.session(self._browser, ledger, role)
        visit = self._stack.enter_context(self._browser.visit(setting, session, self.ledgers[ledger].base))
        self.visits.append(visit)
        return visit

    def enter(self, role, ledger=pages.FULL, **changes):
        """A visit with a session of its own, begun just now: one that may be ended, or is to be confirmed."""
        visit = self.visit(harness.NOBODY, ledger, **changes)
        self.ledgers[ledger].sign_in(visit.page, role)
        return visit

    def somebody(self):
        """An address that nobody else has."""
        return f"person{next(self._people)}@client.example"


class Runner:
    """Takes cases one after the other, in a few browsers at once. `ledgers` are by name."""

    def __init__(self, ledgers, *, tier="quick", only="", workers=WORKERS_MAX, tell=None, listed=pages.PAGES,
                 journeyed=journeys.JOURNEYS):
        self.ledgers, self.tier = ledgers, tier
        self._workers, self._tell = workers, tell
        self._sessions, self._signing, self._titles, self._lock = {}, {}, {}, threading.Lock()
        self.cases = [case for case in self._all(listed, journeyed) if re.search(only, case.label())]
        self.seconds = 0
        names = [page.name for page in listed]
        for name in names:
            if names.count(name) > 1:
                raise harness.Broken(f"two pages are called {name}")

    def _all(self, listed, journeyed):
        full = self.tier == "full"
        for setting in (harness.USUAL, harness.Setting(scripts=False)) if full else (harness.USUAL,):
            for journey in journeyed:
                yield Case(journey.__name__, "journey", "", setting, journey=journey)
        for page in listed:
            for ledger in page.ledgers:
                if ledger not in self.ledgers:
                    continue
                for role in page.roles if full or ledger == pages.FULL else pages.QUICK_ROLES.get(ledger, ()):
                    if role in page.roles:
                        for setting in harness.ALL_SETTINGS if full else (harness.USUAL,):
                            yield Case(page.name, role, ledger, setting, page=page)

    def run(self):
        start = time.monotonic()
        for old in harness.SCREENSHOTS.glob("failed-*.png"):
            old.unlink()
        waiting, results, broken = queue.Queue(), [], []
        for case in self.cases:
            waiting.put(case)

        def work():
            try:
                with harness.Browser(next(iter(self.ledgers.values())).base) as browser:
                    while not broken:
                        try:
                            case = waiting.get_nowait()
                        except queue.Empty:
                            return
                        result = self._result(browser, case)
                        with self._lock:
                            results.append(result)
                            if self._tell:
                                self._tell(len(results), len(self.cases), result)
            except BaseException as error:  # Told by whoever waits for the workers.
                broken.append(error)

        workers = [threading.Thread(target=work) for _ in range(min(self._workers, len(self.cases)))]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                worker.join()
        except BaseException as ended:
            # Whoever ends this does not wait for what is left.
            broken.append(ended)
            raise
        if broken:
            raise broken[0]
        self.seconds = time.monotonic() - start
        return results

    def session(self, browser, ledger, role):
        """The session of a role: who needs it first signs in, and everybody else goes on with it."""
        if role == harness.NOBODY:
            return None
        with self._lock:
            signing = self._signing.setdefault((ledger, role), threading.Lock())
        with signing:
            if (ledger, role) not in self._sessions:
                of = self.ledgers[ledger]
                self._sessions[ledger, role] = browser.signed_in(lambda page: of.sign_in(page, role), of.base)
            return self._sessions[ledger, role]

    def _result(self, browser, case):
        start = time.monotonic()
        result = Result("page" if case.page else "journey", case.name, case.role, case.ledger, case.setting.name)
        with contextlib.ExitStack() as stack:
            visits = []
            try:
                if case.page:
                    session = self.session(browser, case.ledger, case.role)
                    visits = [stack.enter_context(browser.visit(case.setting, session, self.ledgers[case.ledger].base))]
                    self._look(visits[0], case, result)
                else:
                    run = Run(self, browser, case.setting, stack)
                    visits = run.visits
                    case.journey(run)
            except Exception as error:
                result.problems.append(told(error))
            for visit in visits:
                result.problems += visit.findings()
            if result.problems:
                self._picture(visits, case, result)
        result.milliseconds = harness.elapsed(start)
        return result

    def _look(self, visit, case, result):
        """A page, as one role, under one setting."""
        page, full = visit.page, self.tier == "full"
        self._open(visit, case)
        timing = page.evaluate("performance.getEntriesByType('navigation')[0].duration")
        result.load_milliseconds = round(timing)
        loaded = visit.loaded()
        result.bytes = checks.weigh(loaded)
        violations = checks.axe(page)
        result.axe = len(violations)
        found = violations + checks.weight(loaded) + checks.headings(page) + checks.times(page)
        found += checks.titles(page, self._others(case, page)) + checks.texts_apart(page) + checks.harmless(page) + checks.current(page)
        if case.page.private:
            found += checks.no_store(loaded[0])
        if visit.setting.reduced_motion:
            found += checks.still(page)
        if full and visit.setting.scripts:
            checks.screenshot(page, case.label())
        if full and not visit.setting.print:
            found += checks.keyboard(page)
        if not visit.setting.print:
            found += checks.spaced(page)
            if visit.setting.width != harness.NARROW.width:
                page.set_viewport_size({"width": harness.NARROW.width, "height": harness.NARROW.height})
            found += checks.fits(page) + checks.spaced(page)
        result.problems += [f"{one} — at {visit.path()}" for one in dict.fromkeys(found)]

    def _open(self, visit, case):
        """Goes to a page, and does what it takes until it is on show."""
        ledger = self.ledgers[case.ledger]

        def value(found):
            try:
                return str(ledger.value(found.group(1)))
            except KeyError:
                raise harness.Broken(f"{case.page.path} needs {found.group(1)!r}, which is not known of the ledger {case.ledger!r}") from None

        path = re.sub(r"{(\w+)}", value, case.page.path)
        if case.page.act is None:
            visit.open(path, case.page.status)
            return
        if visit.setting.print:
            # What is done is done on the screen: nobody presses a button on paper.
            visit.page.emulate_media(media="screen")
        visit.open(path)
        visit.watch.allow(case.page.status)
        case.page.act(visit, ledger)
        if visit.setting.print:
            visit.page.emulate_media(media="print")
        status = visit.loaded()[0].status
        if status != case.page.status:
            raise harness.Broken(f"{visit.path()} answered {status} instead of {case.page.status}")

    def _others(self, case, page):
        """The titles of a role's other pages so far. A page and its states (`check: result`) may have one title."""
        with self._lock:
            of_role = self._titles.setdefault((case.ledger, case.role), {})
            of_role[case.name] = page.title().strip()
            return [title for name, title in of_role.items() if name.split(":")[0] != case.name.split(":")[0]]

    def _picture(self, visits, case, result):
        for number, visit in enumerate(visits, 1):
            with contextlib.suppress(Exception):
                if case.page:
                    visit.page.set_viewport_size({"width": case.setting.width, "height": case.setting.height})
                path = checks.screenshot(visit.page, f"failed {case.label()}{f' {number}' if len(visits) > 1 else ''}")
                result.problems.append(f"picture: {os.path.relpath(path, harness.ROOT)}, of {visit.page.url}")


def told(error):
    """An exception as a sentence, with the place in these tests where it arose."""
    here = [frame for frame in traceback.extract_tb(error.__traceback__) if pathlib.Path(frame.filename).parent == HERE]
    # Rather a line of the journey than of what it called.
    inside = [frame for frame in here if pathlib.Path(frame.filename).name not in OURS] or here
    place = f" — in {pathlib.Path(inside[-1].filename).name}:{inside[-1].lineno}, `{inside[-1].line}`" if inside else ""
    kind = "" if isinstance(error, (harness.Broken, checks.Failed)) else f"{type(error).__name__}: "
    return f"{kind}{error}{place}"


def summarise(results, failed, runner):
    for result in failed:
        say("\n" + ", ".join(word for word in (result.name, result.role, result.ledger, result.setting) if word))
        for problem in result.problems:
            say("  - " + problem.replace("\n", "\n    "))
    looked = [result for result in results if result.kind == "page"]
    say(f"\n{len(looked)} pages and {len(results) - len(looked)} journeys in {runner.seconds:.1f} s")
    if looked:
        heaviest = max(looked, key=lambda result: result.bytes or 0)
        slowest = max(looked, key=lambda result: result.load_milliseconds or 0)
        say(f"heaviest: {heaviest.name}, {(heaviest.bytes or 0) / 1024:.1f} KB; "
            f"slowest: {slowest.name}, {slowest.load_milliseconds} ms")
    say(f"{len(results) - len(failed)} passed, {len(failed)} failed")


if __name__ == "__main__":
    main()
