"""The tests of the tests: every check passes a good page and fails a bad one, everything that must not happen is noticed, and
`run.py` fails for it. `make browser-checks`; no product is needed.

The pages are served from here, as strictly as the portal is: no script, no inline style, nothing from elsewhere.
"""

import concurrent.futures
import http.server
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import checks
import harness
import install
import pages
import picture
import run
from harness import NARROW, NOBODY, Setting

STRICT = ("default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self'; frame-ancestors 'none'; "
          "base-uri 'none'")
STYLE = """
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 1rem; overflow-wrap: anywhere }
a { color: #0a4f8a } .skip { position: absolute; left: -100rem } .skip:focus { left: 1rem }
a, button, input, select, summary { display: inline-block; min-height: 1.75rem; font: inherit }
:focus-visible { outline: 3px solid #0a4f8a; outline-offset: 2px }
form { display: grid; gap: .5rem; justify-items: start } fieldset { margin: 0 } form, details, table, .line { margin: .5rem 0 }
.scroll { overflow-x: auto } td, th { padding: .25rem .75rem; white-space: nowrap; text-align: left }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #161616 } a { color: #9cd0ff } :focus-visible { outline-color: #9cd0ff } }
"""
BODY = """
<a class="skip" href="#content">Skip to the content</a>
<header><nav aria-label="Main"><a href="/">Start</a> <a href="/other">Other</a></nav></header>
<main id="content" tabindex="-1">
<h1>no.such.user@customer.example</h1>
<p>As of <time datetime="2026-11-29T12:01:07Z">29 November 2026, 12:01</time>.</p>
<h2>Streams</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Streams">
<table><thead><tr><th scope="col">Stream</th><th scope="col">Verdict</th><th scope="col">Since</th><th scope="col">Reason</th></tr></thead>
<tbody><tr><td>outbound</td><td>do not send</td><td>2026-11-27 20:00:00Z</td><td>hard bounce, evidence g1bDiVSylK</td></tr></tbody></table></div>
<h2>Search</h2>
<form method="post" action="/search"><label>Address <input name="address" autocomplete="off"></label>
<fieldset><legend>When</legend><label><input type="radio" name="when" value="now" checked> now</label>
<label><input type="radio" name="when" value="then"> then</label></fieldset>
<label>Stream <select name="stream"><option>outbound</option><option>broadcast</option></select></label> <button>Search</button></form>
<details><summary>More</summary><p><a href="/hidden">A link that is not on show</a></p></details>
</main>
<footer><p>Postledger</p></footer>
"""


def html(body=BODY, title="A recipient", head="", lang=' lang="en"'):
    return (f'<!doctype html><html{lang}><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/style.css">{head}</head>'
            f"<body>{body}</body></html>")


class Site(http.server.ThreadingHTTPServer):
    """Serves `answers`: path to text, or to (status, headers, text)."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.used = set()
        self.clear()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """A browser that goes away in the middle is no fault."""

    def clear(self):
        self.answers = {"/style.css": (200, {"content-type": "text/css"}, STYLE), "/": html(), "/other": html(title="Another")}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/cut"):
            self.close_connection = True
            return
        if path == "/link":
            form = f'<form method="post" action="{self.path}"><button>Sign in</button></form>'
            return self.answer((200, {}, html(f"<main><h1>Sign in</h1>{form}</main>")))
        if path == "/private" and "__Host-role=" not in self.headers.get("cookie", ""):
            return self.answer((403, {}, html("<main><h1>No</h1></main>", "No")))
        if '"1"' in self.headers.get("if-none-match", ""):
            return self.answer((304, {}, ""))
        self.answer(self.server.answers.get(path, (404, {}, html("<main><h1>Not found</h1></main>", "Not found"))))

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        token = self.path.split("?")[-1]
        fresh = token not in self.server.used
        self.server.used.add(token)
        further = {"set-cookie": f"__Host-role={token}; HttpOnly; SameSite=Strict; Secure; Path=/"} if fresh else {}
        self.answer((303, {"location": "/private", **further}, ""))

    def answer(self, answer):
        status, further, text = answer if isinstance(answer, tuple) else (200, {}, answer)
        body = text if isinstance(text, bytes) else text.encode()
        headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": STRICT, "cache-control": "no-store", **further}
        self.send_response(status)
        for name, value in {**headers, "content-length": len(body)}.items():
            if value is not None:
                self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def setUpModule():
    global site, browser
    harness.SCREENSHOTS = harness.SCREENSHOTS / "self-test"
    site = Site()
    browser = harness.Browser(site.base)
    start = time.monotonic()
    browser.__enter__()
    print(f"Chromium {browser.version} opened in {harness.elapsed(start)} ms", file=sys.stderr)


def tearDownModule():
    browser.__exit__(None, None, None)
    site.shutdown()
    site.server_close()


class OnPages(unittest.TestCase):
    """Shows a page, and asks a check about it."""

    def setUp(self):
        site.clear()

    def visit(self, setting=harness.USUAL):
        context = browser.visit(setting)
        visit = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return visit

    def ask(self, check, text=None, setting=harness.USUAL):
        """What a check says of a page, with scripts and without: the same."""
        site.answers["/"] = text or html()
        said = []
        for scripts in (True, False):
            visit = self.visit(Setting(**{**setting.__dict__, "scripts": scripts}))
            visit.open("/")
            said.append(check(visit.page))
            self.assertEqual(visit.findings(), [], "asking must leave no trace")
        self.assertEqual(said[0], said[1])
        return said[0]

    def assert_good(self, check, text=None, setting=harness.USUAL):
        self.assertEqual(self.ask(check, text, setting), [])

    def assert_bad(self, check, word, text, setting=harness.USUAL):
        said = self.ask(check, text, setting)
        self.assertTrue(any(word in one for one in said), f"{word!r} is not in {said}")
        return said

    def styled(self, css):
        site.answers["/style.css"] = (200, {"content-type": "text/css"}, STYLE + css)


class Axe(OnPages):
    def test_a_good_page_passes_in_light_and_dark_and_narrow(self):
        for setting in (Setting(), Setting(scheme="dark"), NARROW, Setting(forced_colors=True), Setting(print=True)):
            self.assert_good(checks.axe, setting=setting)

    def test_what_is_wrong_has_its_rule_and_place(self):
        self.assert_bad(checks.axe, "label: ", html(BODY.replace("Address <input", "</label><label>Address</label><label><input")))
        self.assert_bad(checks.axe, "html-has-lang", html(lang=""))
        self.assert_bad(checks.axe, "document-title", html(title=""))
        # Of what axe calls best practice.
        self.assert_bad(checks.axe, "region", html(f"<p>Outside of everything</p>{BODY}"))

    def test_colours_are_too_pale_in_one_scheme_only(self):
        self.styled("@media (prefers-color-scheme: dark) { p { color: #444 } }")
        self.assert_good(checks.axe)
        self.assert_bad(checks.axe, "color-contrast", html(), Setting(scheme="dark"))

    def test_targets_are_too_small_as_wcag_2_2_has_it(self):
        self.styled(".tiny a { min-height: 0; font-size: 8px; line-height: 8px; display: block; width: 8px }")
        links = "".join(f'<li><a href="/{number}">{number}</a></li>' for number in range(5))
        self.assert_bad(checks.axe, "target-size", html(BODY.replace("</main>", f'<ul class="tiny">{links}</ul></main>')))


class Fits(OnPages):
    def test_a_good_page_fits_with_a_wide_table_that_the_keyboard_scrolls(self):
        self.assert_good(checks.fits, setting=NARROW)

    def test_a_wide_table_that_scrolls_the_page(self):
        wide = html(BODY.replace('class="scroll" tabindex="0"', ""))
        self.assert_bad(checks.fits, "scrolls sideways", wide, NARROW)
        self.assert_bad(checks.fits, "sticks out of 320 px: table", wide, NARROW)

    def test_a_wide_table_that_only_a_mouse_scrolls(self):
        self.assert_bad(checks.fits, "sticks out", html(BODY.replace('class="scroll" tabindex="0"', 'class="scroll"')), NARROW)

    def test_what_is_cut_off_instead_of_scrolled(self):
        self.styled("html, body { overflow-x: hidden } .wide { width: 40rem }")
        self.assert_bad(checks.fits, "p.wide", html(BODY.replace("<h2>Search", '<p class="wide">Wide</p><h2>Search')), NARROW)

    def test_text_that_scrolls_by_itself(self):
        self.styled("pre { overflow-x: auto; overflow-wrap: normal }")
        text = f"<pre>{'a long line, ' * 20}</pre><h2>Search"
        self.assert_good(checks.fits, html(BODY.replace("<h2>Search", text.replace("<pre", '<pre tabindex="0"'))), NARROW)
        self.assert_bad(checks.fits, "pre", html(BODY.replace("<h2>Search", text)), NARROW)

    def test_a_long_word(self):
        self.styled("h1 { overflow-wrap: normal; overflow: clip }")
        self.assert_bad(checks.fits, "h1", html(BODY.replace("no.such.user", "no.such.user" * 5)), NARROW)

    def test_what_only_screen_readers_get_may_be_anywhere(self):
        self.styled(".only { position: absolute; left: 400px; width: 1px; height: 1px; overflow: hidden; white-space: nowrap }"
                    " main { position: relative; overflow: clip }")
        self.assert_good(checks.fits, html(BODY.replace("<h2>Search", '<span class="only">Read aloud</span><h2>Search')), NARROW)


class Keyboard(OnPages):
    def test_a_good_page_is_reached_throughout(self):
        for setting in (Setting(), NARROW, Setting(forced_colors=True)):
            self.assert_good(checks.keyboard, setting=setting)

    def test_a_field_that_has_the_focus_from_the_beginning_changes_nothing(self):
        self.assert_good(checks.keyboard, html(BODY.replace("<input name", "<input autofocus name")))

    def test_a_transition_and_a_shadow_show_the_focus_too(self):
        self.styled("html { scroll-behavior: smooth } .skip { transition: left 1s }"
                    "a { transition: box-shadow 1s } a:focus-visible { outline: none; box-shadow: 0 0 0 3px #0a4f8a }")
        self.assert_good(checks.keyboard)

    def test_no_skip_link_or_one_that_leads_nowhere(self):
        without = BODY.replace('<a class="skip" href="#content">Skip to the content</a>', "")
        self.assert_bad(checks.keyboard, "no link to a part", html(without))
        self.assert_bad(checks.keyboard, "no link to a part", html(BODY.replace('href="#content"', 'href="#elsewhere"')))

    def test_a_skip_link_that_stays_away(self):
        self.styled(".skip:focus { left: -100rem }")
        self.assert_bad(checks.keyboard, "out of view while it has the focus: a.skip", html())

    def test_nothing_shows_the_focus(self):
        self.styled("button:focus-visible { outline: none }")
        self.assert_bad(checks.keyboard, 'shows that it has the focus: button "Search"', html())
        self.styled("button { outline: 3px solid #0a4f8a; outline-offset: 2px }")
        self.assert_bad(checks.keyboard, 'shows that it has the focus: button "Search"', html())

    def test_another_order_than_the_documents(self):
        self.assert_bad(checks.keyboard, "another order", html(BODY.replace("<button>", '<button tabindex="1">')))

    def test_a_part_that_holds_the_focus(self):
        trap = """document.querySelector("select").addEventListener("keydown", event => event.key === "Tab" && event.preventDefault())"""
        site.answers["/"] = html(head='<script defer src="/trap.js"></script>')
        site.answers["/trap.js"] = (200, {"content-type": "text/javascript"}, trap)
        visit = self.visit()
        visit.open("/")
        said = checks.keyboard(visit.page)
        self.assertTrue(any("Tab never leaves the page: it ends at select" in one for one in said), said)
        self.assertTrue(any('Tab does not reach button "Search"' in one for one in said), said)


class Weight(OnPages):
    def weight(self, padding):
        site.answers["/"] = html(BODY.replace("</main>", f"<p>{padding}</p></main>"))
        visit = self.visit()
        visit.open("/")
        return checks.weight(visit.loaded()), visit

    def test_a_light_page_is_weighed_with_its_styles_and_compressed(self):
        said, visit = self.weight("long, but much the same " * 10_000)
        self.assertEqual(said, [])
        self.assertEqual([response.url.removeprefix(site.base) for response in visit.loaded()], ["/", "/style.css"])
        self.assertGreater(checks.weigh(visit.loaded()), checks.weigh(visit.loaded()[:1]))

    def test_a_heavy_page(self):
        noise = random.Random(1).randbytes(40_000).hex()
        self.assertIn("more than 30", self.weight(noise)[0][0])

    def test_the_next_page_is_weighed_by_itself_with_the_styles_that_are_here_already(self):
        _, visit = self.weight("")
        visit.page.get_by_role("link", name="Other").click()
        self.assertEqual([response.url.removeprefix(site.base) for response in visit.loaded()], ["/other", "/style.css"])
        self.assertEqual(checks.weight(visit.loaded()), [])

    def test_styles_from_the_cache_are_weighed_too(self):
        for said in ("no-cache", "public, max-age=31536000, immutable"):
            site.answers["/style.css"] = (200, {"content-type": "text/css", "cache-control": said, "etag": '"1"'}, STYLE)
            visit = self.visit()
            for path in ("/", "/other", "/"):
                visit.open(path)
                self.assertEqual(len(visit.loaded()), 2)
                self.assertGreater(checks.weigh(visit.loaded()), checks.weigh(visit.loaded()[:1]) + 300)

    def test_nothing_is_no_light_page(self):
        self.assertTrue(checks.weight([]))


class Answers(OnPages):
    def test_no_copy_is_kept(self):
        visit = self.visit()
        self.assertEqual(checks.no_store(visit.open("/")), [])
        for said in ("max-age=60", "no-cache", None):
            site.answers["/kept"] = (200, {"cache-control": said}, html())
            self.assertIn("without no-store", checks.no_store(visit.open("/kept"))[0])


class Texts(OnPages):
    def test_headings(self):
        self.assert_good(checks.headings)
        self.assert_bad(checks.headings, "no headings of level 1", html("<main><p>text</p></main>"))
        self.assert_bad(checks.headings, "2 headings of level 1", html("<main><h1>One</h1><h1>Two</h1></main>"))
        self.assert_bad(checks.headings, "'Three' of level 3 follows one of level 1", html("<main><h1>One</h1><h3>Three</h3></main>"))
        self.assert_bad(checks.headings, "the first heading 'Two' is of level 2", html("<main><h2>Two</h2><h1>One</h1></main>"))
        self.assert_bad(checks.headings, "of level 2 is empty", html("<main><h1>One</h1><h2> </h2></main>"))

    def test_times(self):
        self.assert_good(checks.times)
        good = ("2026-11-29", "2026-11-29T12:01:07.123Z", "2026-11-29T12:01+01:00", "2026-11", "PT45M", "12:01")
        self.assert_good(checks.times, html("".join(f'<time datetime="{one}">then</time>' for one in good)))
        self.assert_bad(checks.times, "without datetime: 'yesterday'", html("<main><time>yesterday</time></main>"))
        self.assert_bad(checks.times, "is no time", html('<main><time datetime="yesterday">then</time></main>'))

    def test_titles(self):
        self.assert_good(lambda page: checks.titles(page, ["Another"]))
        self.assert_bad(lambda page: checks.titles(page, []), "empty", html(title=" "))
        self.assert_bad(lambda page: checks.titles(page, ["A recipient"]), "another page has the title", html())

    def test_what_moves_in_spite_of_reduced_motion(self):
        moves = "@keyframes move { to { opacity: .5 } } h1 { animation: move 1s infinite } "
        self.styled(moves + "@media (prefers-reduced-motion: reduce) { h1 { animation: none } }")
        self.assert_good(checks.still, setting=Setting(reduced_motion=True))
        self.styled(moves)
        self.assert_bad(checks.still, "it moves", html(), Setting(reduced_motion=True))

    def test_a_picture_of_the_whole_page(self):
        visit = self.visit(NARROW)
        visit.open("/")
        path = checks.screenshot(visit.page, "self test/narrow")
        self.assertEqual(path, harness.SCREENSHOTS / "self-test-narrow.png")
        self.assertEqual(path.read_bytes()[:4], b"\x89PNG")
        self.assertEqual(visit.findings(), [])

    def test_problems_end_a_journey(self):
        checks.require([])
        with self.assertRaisesRegex(checks.Failed, "one; two"):
            checks.require(["one", "two"])


class Apart(OnPages):
    DRAWING = '<svg role="img" aria-label="Bounces" viewBox="0 0 200 40" width="200">{}</svg>'

    def drawn(self, *texts):
        drawn = "".join(f'<text x="{x}" y="{y}" font-size="10">{words}</text>' for x, y, words in texts)
        return html(BODY.replace("<h2>Search", f"{self.DRAWING.format(drawn)}<h2>Search"))

    def test_texts_of_a_drawing_stand_apart(self):
        self.assert_good(checks.texts_apart, self.drawn((0, 10, "warning level"), (0, 25, "critical level"), (100, 10, "limit")))
        self.assert_bad(checks.texts_apart, "stands upon another one", self.drawn((0, 12, "warning level"), (0, 15, "critical level")))
        self.assert_bad(checks.texts_apart, "leaves it", self.drawn((170, 20, "28 November 16:00")))

    def test_what_stands_beside_each_other_keeps_a_distance(self):
        self.assert_good(checks.spaced)
        self.styled("form { gap: 0 }")
        self.assert_bad(checks.spaced, "0 px apart, less than 5", html())

    def test_what_stands_in_one_line_is_of_one_height(self):
        line = '<div class="line"><input aria-label="From"> <button>Show</button></div>'
        self.styled(".line { display: flex; gap: 1rem } .line * { height: 2.5rem; box-sizing: border-box }")
        self.assert_good(checks.spaced, html(BODY.replace("<h2>Search", f"{line}<h2>Search")))
        self.styled(".line { display: flex; gap: 1rem; align-items: end } .line input { height: 2.5rem } .line button { height: 2.2rem }")
        self.assert_bad(checks.spaced, "not of one height", html(BODY.replace("<h2>Search", f"{line}<h2>Search")))

    def test_a_button_that_is_stretched(self):
        self.styled("form button { height: 6rem }")
        self.assert_bad(checks.spaced, "is stretched", html())


class Current(OnPages):
    def test_where_one_is_is_seen_in_forced_colours_too(self):
        tabs = '<nav aria-label="Pages"><ul><li><a href="/" aria-current="page">Here</a></li><li><a href="/other">There</a></li></ul></nav>'
        shown = html(BODY.replace("<h2>Search", f"{tabs}<h2>Search"))
        forced = Setting(forced_colors=True)
        self.styled("li a { border-bottom: 3px solid transparent } li a[aria-current] { border-color: #0a4f8a; font-weight: 700 }")
        self.assert_good(checks.current, shown)
        self.assert_bad(checks.current, "nothing but its letters", shown, forced)
        site.answers["/style.css"] = (200, {"content-type": "text/css"}, site.answers["/style.css"][2]
                                      + "@media (forced-colors: active) { li a:not([aria-current]) { border-color: Canvas } }")
        self.assert_good(checks.current, shown, forced)


class Harmless(OnPages):
    def test_what_others_wrote_is_a_text(self):
        self.assert_good(checks.harmless, html(BODY.replace("hard bounce", "&lt;img data-pwn onerror=x&gt;")))

    def test_what_others_wrote_is_an_element(self):
        site.answers["/x.png"] = (200, {"content-type": "image/png"}, "")
        for attack in ('<b data-pwn>x</b>', '<b onclick="x">x</b>', '<b style="color: red">x</b>'):
            visit = self.visit()
            site.answers["/"] = html(BODY.replace("hard bounce", attack))
            visit.open("/")
            self.assertIn("is a part of the page", " ".join(checks.harmless(visit.page)), attack)

    def test_what_others_wrote_is_run(self):
        site.answers["/x.js"] = (200, {"content-type": "text/javascript"}, "document.documentElement.dataset.pwn = 1")
        visit = self.visit()
        site.answers["/"] = html(head='<script src="/x.js"></script>')
        visit.open("/")
        self.assertIn("was run", " ".join(checks.harmless(visit.page)))


class Watching(OnPages):
    def findings(self, body="", head="", setting=harness.USUAL, path="/", may_say=(), **answers):
        site.answers["/"] = html(BODY + body, head=head)
        site.answers.update({f"/{name.replace('_', '.')}": answer for name, answer in answers.items()})
        visit = self.visit(setting)
        visit.watch.may_say(*may_say)
        visit.open(path)
        return visit.findings()

    def script(self, text):
        return {"head": '<script src="/a.js"></script>', "a_js": (200, {"content-type": "text/javascript"}, text)}

    def assert_found(self, word, found):
        self.assertTrue(any(word in one for one in found), f"{word!r} is not in {found}")

    def test_nothing_is_found_on_a_good_page(self):
        for setting in harness.ALL_SETTINGS:
            self.assertEqual(self.findings(setting=setting), [], setting.name)

    def test_errors_on_the_console_have_their_place(self):
        found = self.findings(**self.script('\nconsole.error("it went wrong")'))
        self.assert_found("console: it went wrong", found)
        self.assert_found("/a.js:1", found)
        self.assertEqual(self.findings(**self.script('console.log("all is well")')), [])

    def test_what_the_browser_is_to_stop_is_no_finding_and_everything_else_still_is(self):
        found = self.findings(may_say=["it was stopped"], **self.script('console.error("it was stopped here"); console.error("oh")'))
        self.assertEqual(len(found), 1, found)
        self.assert_found("console: oh", found)

    def test_exceptions_that_nothing_caught(self):
        self.assert_found("uncaught exception: ", self.findings(**self.script('throw new Error("oh")')))
        self.assert_found("uncaught exception: ", self.findings(**self.script('Promise.reject(new Error("oh"))')))

    def test_violations_of_the_policy_with_scripts_and_without(self):
        for setting in (Setting(), Setting(scripts=False)):
            found = self.findings('<p style="color: red">red</p>', setting=setting)
            self.assert_found("Content Security Policy", found)
        found = self.findings('<p style="color: red">red</p>')
        self.assert_found("content security policy: style-src-attr forbids inline (enforce)", found)

    def test_violations_that_are_reported_only(self):
        site.answers["/loose"] = (200, {"content-security-policy": None, "content-security-policy-report-only": STRICT},
                                  html(BODY + '<p style="color: red">red</p>'))
        self.assert_found("(report)", self.findings(path="/loose"))

    def test_requests_to_another_host_which_never_leave(self):
        site.answers["/loose"] = (200, {"content-security-policy": None}, html(BODY + '<img alt="" src="http://192.0.2.1/pixel.png">'))
        found = self.findings(path="/loose")
        self.assert_found("request to another host: http://192.0.2.1/pixel.png", found)
        self.assert_found("request failed (net::ERR_NAME_NOT_RESOLVED)", found)
        # Another port is another host.
        other = Site()
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        site.answers["/loose"] = (200, {"content-security-policy": None}, html(head=f'<link rel="stylesheet" href="{other.base}/style.css">'))
        self.assert_found(f"request to another host: {other.base}", self.findings(path="/loose"))

    def test_answers_of_500_and_above(self):
        self.assert_found("answer 503", self.findings('<img alt="" src="/a.png">', a_png=(503, {}, "")))

    def test_windows_that_open_by_themselves(self):
        self.assert_found("a window of the kind alert was opened: 'pwned'", self.findings(**self.script("alert('pwned')")))

    def test_requests_that_failed(self):
        self.assert_found("request failed (net::ERR_EMPTY_RESPONSE)", self.findings('<img alt="" src="/cut.png">'))

    def test_what_is_not_there(self):
        self.assert_found("status of 404", self.findings('<img alt="" src="/none.png">'))

    def test_a_status_that_is_expected_is_no_error_and_another_one_is(self):
        for status in (404, 403, 503):
            site.answers["/status"] = (status, {}, html())
            visit = self.visit()
            self.assertEqual(visit.open("/status", status=status).status, status)
            self.assertEqual(visit.findings(), [])
            with self.assertRaisesRegex(harness.Broken, f"/status answered {status} instead of 200"):
                visit.open("/status")

    def test_a_download_is_no_request_that_failed(self):
        site.answers["/list.csv"] = (200, {"content-type": "text/csv", "content-disposition": "attachment; filename=list.csv"}, "a,b\n")
        site.answers["/"] = html(BODY.replace("</main>", '<a href="/list.csv">CSV</a></main>'))
        for scripts in (True, False):
            visit = self.visit(Setting(scripts=scripts))
            visit.open("/")
            with visit.page.expect_download() as download:
                visit.page.get_by_role("link", name="CSV").click()
            self.assertEqual(pathlib.Path(download.value.path()).read_text(), "a,b\n")
            self.assertEqual(visit.findings(), [])


class Settings(OnPages):
    def test_a_page_sees_the_setting(self):
        asked = {"dark": "(prefers-color-scheme: dark)", "narrow": "(width: 320px)", "forced": "(forced-colors: active)",
                 "still": "(prefers-reduced-motion: reduce)", "print": "print"}
        for setting, holds in ((Setting(), []), (Setting(scheme="dark"), ["dark"]), (NARROW, ["narrow"]), (Setting(print=True), ["print"]),
                               (Setting(forced_colors=True), ["forced"]), (Setting(reduced_motion=True), ["still"])):
            visit = self.visit(setting)
            visit.open("/")
            seen = [name for name, query in asked.items() if visit.page.evaluate("query => matchMedia(query).matches", query)]
            self.assertEqual(seen, holds, setting.name)

    def test_scripts_run_or_not_and_what_stands_in_for_them_shows(self):
        site.answers["/a.js"] = (200, {"content-type": "text/javascript"}, 'document.title = "changed"')
        site.answers["/"] = html(BODY + "<noscript><p>Without scripts</p></noscript>", head='<script src="/a.js"></script>')
        for scripts, title in ((True, "changed"), (False, "A recipient")):
            visit = self.visit(Setting(scripts=scripts))
            visit.open("/")
            self.assertEqual(visit.page.title(), title)
            self.assertEqual(visit.page.locator("noscript p").is_visible(), not scripts)

    def test_forms_and_links_work_without_scripts(self):
        visit = self.visit(Setting(scripts=False))
        visit.open("/")
        visit.page.get_by_label("Address").fill("somebody@customer.example")
        visit.page.get_by_label("then").check()
        visit.page.locator("select").select_option("broadcast")
        visit.page.get_by_role("link", name="Other").click()
        self.assertEqual(visit.path(), "/other")

    def test_two_visits_share_nothing(self):
        site.answers["/private"] = html(title="Private")
        session = browser.signed_in(lambda page: pages.by_link(page, f"{site.base}/link?a"))
        with browser.visit(session=session) as visit:
            visit.open("/private")
        with browser.visit() as visit:
            visit.open("/private", 403)

    def test_a_link_that_does_not_sign_in(self):
        site.answers["/private"] = html(title="Private")
        def sign_in(page):
            pages.by_link(page, f"{site.base}/link?once")
        browser.signed_in(sign_in)
        with self.assertRaisesRegex(harness.Broken, "while signing in|left no cookie"):
            browser.signed_in(sign_in)


class Starting(unittest.TestCase):
    SERVES = ("import os, sys, time; print('starting'); print('portal at\\n http://127.0.0.1:8633/', os.listdir(sys.argv[1]), flush=True); "
              "open(sys.argv[1] + '/ledger', 'w'); time.sleep(60)")
    # On a line after what announces it.
    SAYS = r"portal at\s+(http://[0-9.:]+)"

    def test_a_product_is_started_found_and_stopped(self):
        with harness.Product(f'{sys.executable} -c "{self.SERVES}" {{folder}}', self.SAYS) as product:
            self.assertEqual(product.base, "http://127.0.0.1:8633")
            self.assertTrue(product.said().startswith("starting\nportal at\n"), product.said())
            process, folder = product._process, pathlib.Path(product._folder.name)
            self.assertIsNone(process.poll())
        self.assertIsNotNone(process.poll())
        self.assertFalse(folder.exists())

    def test_a_product_that_does_not_come_up_is_quoted(self):
        with self.assertRaisesRegex(harness.Broken, "(?s)ended before it said where it listens.*the port is taken"):
            with harness.Product(f'{sys.executable} -c "print(\'the port is taken\')"', self.SAYS):
                pass

    def test_links_are_given_once_each_and_then_by_a_command(self):
        links = harness.Links("http://base", {"viewer": "http://a", "admin": ["http://b", "http://c"]}, "echo link for {role}: {base}/{role}")
        taken = [links.take(role) for role in ("viewer", "admin", "admin", "admin")]
        self.assertEqual(taken, ["http://a", "http://b", "http://c", "http://base/admin"])
        with self.assertRaisesRegex(harness.Broken, "no link left to sign in by as viewer"):
            harness.Links("http://base", {}).take("viewer")
        with self.assertRaisesRegex(harness.Broken, "printed no link"):
            harness.Links("http://base", {}, "false").take("viewer")


class Running(OnPages):
    def results(self, **options):
        given = {"listed": [pages.Page("start", "/"), pages.Page("other", "/other", ("viewer",)), pages.Page("item", "/{id}")],
                 "journeyed": [goes_on], "workers": 2, **options}
        values = given.pop("values", {"id": "item"})
        site.answers["/item"] = html(title="An item")
        links = harness.Links(site.base, {"viewer": f"{site.base}/link?{self.id()}"})
        site.answers["/private"] = html(title="Private")
        ledgers = {name: run.Given(site.base, links, values) for name in given.pop("ledgers", [pages.FULL])}
        runner = run.Runner(ledgers, **given)
        return {result.name if runner.tier == "quick" else (result.name, result.setting): result for result in runner.run()}

    def test_quick_takes_each_once(self):
        results = self.results()
        self.assertEqual(set(results), {"goes_on", "start", "other", "item"})
        self.assertEqual([result.problems for result in results.values()], [[]] * 4)
        self.assertEqual(results["start"].axe, 0)
        self.assertTrue(1000 < results["start"].bytes < 5000, results["start"])
        self.assertTrue(results["other"].role == "viewer" and "KB axe 0" in results["other"].line().replace("  ", " "))

    def test_full_takes_each_under_every_setting_and_makes_pictures(self):
        picture = harness.SCREENSHOTS / "start-nobody-full-dark-320.png"
        picture.unlink(missing_ok=True)
        results = self.results(tier="full", only="^(start|goes_on)")
        self.assertEqual(len(results), len(harness.ALL_SETTINGS) + 2)
        self.assertEqual([result.problems for result in results.values() if result.problems], [])
        self.assertTrue(picture.exists())

    def test_every_kind_of_fault_fails_its_page_with_cause_and_place(self):
        faults = {
            "axe label: ": html(BODY.replace("Address <input", "</label><label>Address</label><label><input")),
            "without no-store — at": (200, {"cache-control": "public"}, html()),
            "the page weighs": html(BODY + f"<p>{random.Random(2).randbytes(40_000).hex()}</p>"),
            "2 headings of level 1": html(BODY.replace("<h2>Streams</h2>", "<h1>Streams</h1>")),
            "<time> without datetime": html(BODY.replace(' datetime="2026-11-29T12:01:07Z"', "")),
            "another page has the title": html(title="1"),
            "sticks out of 320 px": html(BODY.replace('class="scroll" tabindex="0"', "")),
            "Content Security Policy": html(BODY.replace("<h1>", '<h1 style="color: #000">')),
            "answered 500 instead of 200": (500, {}, html()),
        }
        listed = []
        for number, (fault, answer) in enumerate(faults.items()):
            status, headers, text = answer if isinstance(answer, tuple) else (200, {}, answer)
            # Each has a title of its own, but one.
            site.answers[f"/{number}"] = (status, headers, text.replace("<title>A recipient<", f"<title>{number}<"))
            listed.append(pages.Page(fault, f"/{number}"))
        results = self.results(listed=[*listed, pages.Page("item", "/item")], journeyed=[], workers=1)
        for fault in faults:
            problems = results[fault].problems
            self.assertTrue(any(fault in problem for problem in problems), (fault, problems))
            self.assertIn("picture: target/browser/self-test/failed-", problems[-1])
        self.assertEqual(results["item"].problems, [])

    def test_the_keyboard_is_tried_in_full(self):
        site.answers["/faulty"] = html(BODY.replace("<button>", '<button tabindex="1">'))
        results = self.results(tier="full", listed=[pages.Page("faulty", "/faulty")], journeyed=[], only="light 1280$")
        problems = results["faulty", "light 1280"].problems
        self.assertTrue(any("another order" in problem for problem in problems), problems)

    def test_two_pages_of_one_name_are_a_mistake(self):
        with self.assertRaisesRegex(harness.Broken, "two pages are called start"):
            self.results(listed=[pages.Page("start", "/"), pages.Page("start", "/other")])

    def test_a_page_is_on_show_after_something_was_done_there(self):
        site.answers["/refused"] = (400, {}, html(title="Refused"))

        def goes(visit, ledger):
            self.assertEqual(ledger.value("id"), "item")
            visit.page.get_by_role("link", name="Other").click()
            visit.page.wait_for_load_state("load")

        def is_refused(visit, _):
            visit.page.goto(f"{site.base}/refused")
        results = self.results(journeyed=[], listed=[
            pages.Page("start: other", "/", act=goes), pages.Page("refused", "/", act=is_refused, status=400),
            pages.Page("not refused", "/", act=is_refused)])
        self.assertEqual(results["start: other"].problems + results["refused"].problems, [])
        self.assertIn("answered 400 instead of 200", results["not refused"].problems[0])

    def test_states_of_a_page_may_share_its_title_and_other_pages_may_not(self):
        listed = [pages.Page("start", "/"), pages.Page("start: again", "/"), pages.Page("another", "/")]
        results = self.results(journeyed=[], listed=listed, workers=1)
        self.assertEqual(results["start: again"].problems, [])
        self.assertIn("another page has the title", results["another"].problems[0])

    def test_quick_looks_at_other_ledgers_as_few_roles(self):
        listed = [pages.Page("start", "/", ("viewer", "admin"))]
        cases = {tier: [(case.ledger, case.role) for case in run.Runner(dict.fromkeys(pages.LEDGERS), tier=tier, listed=listed, journeyed=[],
                                                                       only="light 1280$").cases] for tier in ("quick", "full")}
        self.assertEqual(cases["quick"], [("full", "viewer"), ("full", "admin"), ("hostile", "admin")])
        self.assertEqual(cases["full"], [(ledger, role) for ledger in pages.LEDGERS for role in ("viewer", "admin")])

    def test_a_journey_that_fails_has_its_line(self):
        results = self.results(listed=[], journeyed=[fails, stumbles])
        self.assertIn("no headings of level 1", results["fails"].problems[0])
        self.assertIn("self_test.py:", results["fails"].problems[0])
        self.assertIn("console: ", results["stumbles"].problems[0])

    def test_what_a_page_needs_and_nobody_gave(self):
        results = self.results(values={}, journeyed=[])
        self.assertIn("needs 'id', which is not known of the ledger 'full'", results["item"].problems[0])
        results = self.results(listed=[pages.Page("other", "/other", ("admin",))], journeyed=[])
        self.assertIn("no link left to sign in by as admin", results["other"].problems[0])

    def test_the_program_prints_lines_or_json_and_its_status_tells(self):
        site.answers["/sign-in"] = html(title="Sign in")
        command = [sys.executable, str(run.HERE / "run.py"), "--base", site.base, "--pictures", str(harness.SCREENSHOTS)]
        only = ["--only", "^sign-in nobody"]
        good = subprocess.run([*command, *only], capture_output=True, text=True)
        self.assertEqual(good.returncode, 0, good.stdout + good.stderr)
        self.assertRegex(good.stdout, r"\[1/1\] ok   sign-in +nobody +full +light 1280 +\d+ ms +\d\.\d KB axe 0\n")
        self.assertTrue(good.stdout.endswith("\n1 passed, 0 failed\n"), good.stdout)
        site.answers["/sign-in"] = html(title="")
        bad = subprocess.run([*command, *only, "--json"], capture_output=True, text=True)
        self.assertEqual((bad.returncode, json.loads(bad.stdout)["failed"]), (1, 1), bad.stdout + bad.stderr)
        none = subprocess.run([*command, "--only", "nothing of this name"], capture_output=True, text=True)
        self.assertEqual(none.returncode, 1)


def goes_on(journey):
    visit = journey.visit(NOBODY)
    visit.open("/")
    visit.page.get_by_role("link", name="Other").click()
    assert visit.path() == "/other"
    journey.visit("viewer", width=320).open("/private")


def fails(journey):
    visit = journey.visit(NOBODY)
    site.answers["/empty"] = html("<main>nothing</main>", "Empty")
    visit.open("/empty")
    checks.require(checks.headings(visit.page))


def stumbles(journey):
    site.answers["/stumble"] = html('<main><h1>One</h1><img alt="" src="/none.png"></main>', "Stumble")
    journey.visit(NOBODY).open("/stumble")


class Pictures(OnPages):
    def test_a_picture_becomes_smaller_and_stays_what_it_shows(self):
        visit = self.visit()
        visit.open("/")
        before = pathlib.Path(checks.screenshot(visit.page, "before", 800)).read_bytes()
        width, height, pixels = picture.read(before)
        after = picture.written(width, height, pixels)
        self.assertEqual((width, height, len(pixels)), (1280, 800, 1280 * 800))
        self.assertLess(len(after), len(before))
        site.answers["/after.png"] = (200, {"content-type": "image/png"}, after)
        site.answers["/before.png"] = (200, {"content-type": "image/png"}, before)
        site.answers["/"] = html('<main><h1>Both</h1><img alt="" src="/before.png"><img alt="" src="/after.png"></main>')
        visit.open("/")
        differs = visit.page.evaluate("""() => {
            const read = image => {
                const canvas = Object.assign(document.createElement("canvas"), {width: image.naturalWidth, height: image.naturalHeight})
                const drawing = canvas.getContext("2d")
                drawing.drawImage(image, 0, 0)
                return drawing.getImageData(0, 0, canvas.width, canvas.height).data
            }
            const [before, after] = [...document.images].map(read)
            return before.length === after.length ? before.reduce((most, one, at) => Math.max(most, Math.abs(one - after[at])), 0) : null
        }""")
        self.assertLess(differs, 40)


class Installing(unittest.TestCase):
    def test_what_does_not_work_is_refused_with_the_next_step(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, str(run.HERE / "install.py"), folder], capture_output=True, text=True,
                                  env={"POSTLEDGER_CHROMIUM": shutil.which("false"), "PATH": "/usr/bin:/bin", "HOME": folder})
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("next: install a Chromium", done.stderr)
            self.assertFalse((pathlib.Path(folder) / "browser.json").exists())

    def test_what_works_is_found_again_without_a_download(self):
        how = harness.installed()
        # In a thread of its own: in this one Playwright is at work already.
        with concurrent.futures.ThreadPoolExecutor(1) as elsewhere:
            self.assertEqual(elsewhere.submit(install.tried, how).result(), how["version"])


if __name__ == "__main__":
    unittest.main(verbosity=2 if "-v" in sys.argv else 1)
