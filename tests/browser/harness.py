"""A browser for the tests of the portal, and everything that must never happen in it.

- `Product` starts the program under test and waits until it says where it listens; or a base URL is given.
- `Links` gives one-use links to sign in by, from a file or from a command.
- `Browser` opens Chromium once; each test has a fresh context of its own in it: a `Visit`, under a `Setting` (colours, size,
  scripts on or off, print, …).
- `Watch` records, throughout a visit: errors on the console, uncaught exceptions, violations of the content security policy,
  requests to another host, answers of 500 and above, and requests that failed.

The checks of single pages are in checks.py. Nothing here knows the product.
"""

import contextlib
import dataclasses
import importlib.util
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INSTALLED = ROOT / ".tools/chromium/browser.json"
SCREENSHOTS = ROOT / "target/browser"
START_SECONDS = 60
STOP_SECONDS = 10
LINK_SECONDS = 30
# How long an element may take to be there, or a page.
WAIT_SECONDS = 30
# The role of somebody who has not signed in.
NOBODY = "nobody"
# What a script of the page would call, to have a violation recorded. Chromium also prints each on the console; but one that is
# only reported, not enforced, is no error there.
ON_VIOLATION = """
document.addEventListener("securitypolicyviolation", event => {
    const report = window.__violated
    if (report) report(`${event.effectiveDirective} forbids ${event.blockedURI || "it"} (${event.disposition})`)
})
"""
REDIRECTS = (301, 302, 303, 307, 308)
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


class Broken(Exception):
    """A test cannot go on. Says why, in a sentence."""


class Product(contextlib.AbstractContextManager):
    """The program under test, from its start to its end.

    In the command, `{folder}` is an empty folder that is removed at the end, and where it runs. With `variables` its environment
    has these and no others. `said()` is all that it has printed, and `base` what the expression's first group found in it.
    """

    def __init__(self, command, says, variables=None):
        self._command, self._says, self._variables = command, re.compile(says), variables
        self._folder = self._process = self._listener = None
        self._said = []
        self._heard = threading.Condition()
        self.base = None

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="postledger-browser-")
        command = [word.replace("{folder}", self._folder.name) for word in shlex.split(self._command)]
        self._process = subprocess.Popen(command, cwd=self._folder.name, env=self._variables, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        # Read to the end, so that the program never waits for a reader.
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _listen(self):
        for line in self._process.stdout:
            with self._heard:
                self._said.append(line)
                if self.base is None and (found := self._says.search(self.said())):
                    self.base = found.group(1).rstrip("/")
                self._heard.notify_all()
        with self._heard:
            self._said.append(None)
            self._heard.notify_all()

    def said(self):
        return "".join(line for line in self._said if line)

    def _wait(self):
        with self._heard:
            told = self._heard.wait_for(lambda: self.base or None in self._said, START_SECONDS)
        if not self.base:
            said = self.said()[-2000:]
            why = f"did not say where it listens within {START_SECONDS} s" if not told else "ended before it said where it listens"
            raise Broken(f"{self._command!r} {why}; it said:\n{said}")

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        # Whatever else held its output open is gone with its group.
        self._listener.join(STOP_SECONDS)
        self._process.stdout.close()
        self._folder.cleanup()


class Links:
    """One-use links to sign in by. `given` is {role: link or list of links}; in `command`, `{role}` and `{base}` stand for the
    role and the base URL, and the last URL that the command prints is the link."""

    def __init__(self, base, given=None, command=None):
        self._base, self._command = base, command
        self._given = {role: [links] if isinstance(links, str) else list(links) for role, links in (given or {}).items()}
        self._lock = threading.Lock()

    def take(self, role):
        """A link that nobody has used yet."""
        with self._lock:
            if self._given.get(role):
                return self._given[role].pop(0)
        if not self._command:
            raise Broken(f"there is no link left to sign in by as {role}: give more of them in --links, or give --link-command")
        command = [word.replace("{role}", role).replace("{base}", self._base) for word in shlex.split(self._command)]
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LINK_SECONDS)
        urls = re.findall(r"https?://\S+", done.stdout)
        if done.returncode or not urls:
            raise Broken(f"{shlex.join(command)} printed no link (exit status {done.returncode}): {done.stderr or done.stdout}")
        return urls[-1]


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a person's browser is like."""

    scheme: str = "light"
    width: int = 1280
    height: int = 800
    scripts: bool = True
    forced_colors: bool = False
    reduced_motion: bool = False
    print: bool = False

    @property
    def name(self):
        """Such as `dark 320 no-scripts`; in it stands only what differs from the usual, and always scheme and width."""
        further = {"no-scripts": not self.scripts, "forced-colors": self.forced_colors, "reduced-motion": self.reduced_motion,
                   "print": self.print}
        return " ".join([self.scheme, str(self.width), *(word for word, holds in further.items() if holds)])


USUAL = Setting()
NARROW = Setting(width=320, height=640)
# What a page is looked at under before a release: colours × sizes × scripts, and what only some people use.
ALL_SETTINGS = tuple(
    Setting(scheme=scheme, width=width, height=height, scripts=scripts)
    for scheme in ("light", "dark") for width, height in ((1280, 800), (320, 640)) for scripts in (True, False)
) + (Setting(forced_colors=True), Setting(reduced_motion=True), Setting(print=True))


class Watch:
    """Records what must not happen in a context. `findings()` gives it as sentences, each with its place.

    `allow(404)`: answers with this status are what the test is about. `may_say(text)`: so are messages on the console with this
    text, as where the browser stops what it should stop.
    """

    def __init__(self, context, base):
        self._origin = origin(base)
        self._found, self._failed, self._downloads, self._allowed, self._said = [], [], set(), set(), []
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        context.on("requestfailed", lambda request: self._failed.append((request.url, request.failure)))
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self._add(f"uncaught exception: {error.error}", error.page and error.page.url))
        context.on("page", self._on_page)
        context.expose_binding("__violated", self._on_violation)
        context.add_init_script(ON_VIOLATION)

    def allow(self, status):
        self._allowed.add(status)

    def may_say(self, *texts):
        self._said += texts

    def findings(self):
        # A navigation that becomes a download is told as one that failed.
        failed = [f"request failed ({why}): {url}" for url, why in self._failed if url not in self._downloads and why != "csp"]
        return list(dict.fromkeys(self._found + failed))

    def _add(self, what, place):
        self._found.append(f"{what} — at {place or 'an unknown page'}")

    def _on_page(self, page):
        page.on("download", lambda download: self._downloads.add(download.url))
        page.on("dialog", self._on_dialog)
        page.on("crash", lambda page: self._add("the page crashed", page.url))
        page.on("websocket", lambda socket: self._add(f"a web socket was opened: {socket.url}", page.url))

    def _on_dialog(self, dialog):
        # A page may ask before typed text is lost; it has nothing else to say by a window.
        if dialog.type == "beforeunload":
            return dialog.accept()
        self._add(f"a window of the kind {dialog.type} was opened: {dialog.message!r}", dialog.page and dialog.page.url)
        dialog.dismiss()

    def _on_violation(self, source, what):
        self._add(f"content security policy: {what}", source["page"].url)

    def _on_request(self, request):
        if urllib.parse.urlsplit(request.url).scheme in ("data", "blob", "about"):
            return
        if origin(request.url) != self._origin:
            self._add(f"request to another host: {request.url}", request.headers.get("referer"))

    def _on_response(self, response):
        if response.status >= 500 and response.status not in self._allowed:
            self._add(f"answer {response.status}", response.url)

    def _on_console(self, message):
        refused = REFUSED.match(message.text)
        if refused and int(refused.group(1)) in self._allowed or any(text in message.text for text in self._said):
            return
        if message.type == "error" or "Content Security Policy" in message.text:
            location = message.location
            self._add(f"console: {message.text}", f"{location['url']}:{location.get('lineNumber', 0)}")


def origin(url):
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


class Visit:
    """One person's visit: a fresh context with one page in it.

    `page` is Playwright's page; `open` goes to a path of the product; `loaded` is what the page on show consists of.
    """

    def __init__(self, context, base, setting):
        self.base, self.setting, self.context = base.rstrip("/"), setting, context
        self.watch = Watch(context, base)
        self._loaded = []
        context.set_default_timeout(1000 * WAIT_SECONDS)
        self.page = context.new_page()
        self.page.on("request", self._on_request)
        self.page.on("response", lambda response: self._loaded.append(response))
        if setting.print:
            self.page.emulate_media(media="print")

    def open(self, path, status=200):
        """Goes to a path and gives the answer, which must have this status."""
        if status >= 400:
            self.watch.allow(status)
        response = self.page.goto(urllib.parse.urljoin(f"{self.base}/", path), wait_until="load")
        if response.status != status:
            raise Broken(f"{path} answered {response.status} instead of {status}")
        return response

    def loaded(self):
        """The answers that make up the page on show: its document first, and what that loaded."""
        self.page.wait_for_load_state("load")
        return [response for response in self._loaded if response.status not in REDIRECTS]

    def path(self):
        """Where the page on show is."""
        return urllib.parse.urlsplit(self.page.url).path

    def _on_request(self, request):
        if request.is_navigation_request() and request.frame == self.page.main_frame and not request.redirected_from:
            self._loaded.clear()

    def findings(self):
        """What must not happen, and happened so far."""
        # What is on its way comes first: of scripts, and then of Playwright, which hands events over while it is asked.
        with contextlib.suppress(Exception):
            self.page.evaluate("new Promise(done => setTimeout(done))" if self.setting.scripts else "0")
            self.page.evaluate("0")
        return self.watch.findings()


class Browser(contextlib.AbstractContextManager):
    """Chromium, opened once. It reaches this machine and the host of the base URL, and no other."""

    def __init__(self, base):
        self._base = base
        self._playwright = self._chromium = None

    def __enter__(self):
        from playwright.sync_api import sync_playwright

        how = installed()
        # Playwright's own process needs these too. They are gone again before anything else is started.
        with environment(how.get("environment", {})):
            self._playwright = sync_playwright().start()
            try:
                host = urllib.parse.urlsplit(self._base).hostname
                self._chromium = self._playwright.chromium.launch(
                    executable_path=how["executable"],
                    args=[f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE {host}"])
            except Exception as error:
                self._playwright.stop()
                raise Broken(f"Chromium does not start: remove .tools/chromium and run `make browser-tools`\n{error}") from error
        self.version = self._chromium.version
        return self

    def __exit__(self, *_):
        self._chromium.close()
        self._playwright.stop()

    @contextlib.contextmanager
    def visit(self, setting=USUAL, session=None, base=None):
        """A visit under a setting; with `session` (of `signed_in`), of somebody who has signed in. `base` may be another one on
        this machine."""
        context = self._chromium.new_context(
            viewport={"width": setting.width, "height": setting.height},
            color_scheme=setting.scheme,
            java_script_enabled=setting.scripts,
            forced_colors="active" if setting.forced_colors else "none",
            reduced_motion="reduce" if setting.reduced_motion else "no-preference",
            locale="en-GB",
            timezone_id="UTC",
            storage_state=session,
        )
        try:
            yield Visit(context, base or self._base, setting)
        finally:
            context.close()

    def signed_in(self, sign_in, base=None):
        """The session of somebody who has signed in, for `visit`. `sign_in(page)` does it."""
        with self.visit(base=base) as visit:
            sign_in(visit.page)
            session = visit.context.storage_state()
            happened = visit.findings()
            if happened:
                raise Broken("while signing in: " + "; ".join(happened))
            if not session["cookies"]:
                raise Broken(f"signing in left no cookie; the page on show is {visit.page.url}, {visit.page.title()!r}")
            return session


ENVIRONMENT = threading.Lock()


@contextlib.contextmanager
def environment(further):
    """For a while, with further variables."""
    with ENVIRONMENT:
        before = {name: os.environ.get(name) for name in further}
        os.environ.update(further)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def installed():
    """How to start the Chromium that `make browser-tools` found."""
    if importlib.util.find_spec("playwright") is None:
        raise Broken("Playwright is not installed for this Python: run `make browser-tools`, then use .tools/browser/bin/python")
    try:
        return json.loads(INSTALLED.read_text())
    except FileNotFoundError:
        raise Broken("no Chromium is here yet: run `make browser-tools`") from None


def elapsed(start):
    """Milliseconds since `time.monotonic()` was `start`."""
    return round(1000 * (time.monotonic() - start))
