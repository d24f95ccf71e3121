"""What every page of the portal must be like. Each check gives the problems that it found, as sentences; none is none.

They work without scripts too: what is asked of the page here is run by the browser's debugger, not by the page. self_test.py
shows of each check that it passes a good page and fails a bad one.
"""

import functools
import gzip
import importlib.util
import pathlib
import re

import harness

# What a page may weigh, compressed, with all that it loads.
PAGE_BYTES_MAX = 30 * 1024
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
# How many elements a problem names; the rest are counted.
EXAMPLES_MAX = 4


class Failed(Exception):
    """A check found problems."""


def require(problems):
    """Ends a journey where there is a problem: `require(headings(visit.page))`."""
    if problems:
        raise Failed("; ".join(problems))


# A short name of an element, for people: `a.next "Next page"`.
NAMED = """
const named = element => {
    const text = (element.getAttribute("aria-label") || element.innerText || element.value || element.name || "")
        .trim().replace(/\\s+/g, " ")
    const name = element.localName + (element.id ? "#" + element.id : "") + [...element.classList].map(one => "." + one).join("")
    return text ? `${name} "${text.slice(0, 40)}"` : name
}
"""


def axe(page):
    """axe-core finds no violation of WCAG 2.2 AA, nor of what it calls best practice. What is in a frame is a client's mail, in
    which nothing answers axe."""
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate(axe_source())
    found = page.evaluate("""tags => window.axe.run(document, {
        runOnly: {type: "tag", values: tags},
        rules: {"target-size": {enabled: true}},
        resultTypes: ["violations"],
        iframes: false,
    }).then(result => result.violations.map(violation => ({
        id: violation.id,
        help: violation.help,
        places: violation.nodes.map(node => node.target.join(" ")),
        why: violation.nodes[0] ? [...violation.nodes[0].any, ...violation.nodes[0].all, ...violation.nodes[0].none]
            .map(check => check.message)[0] : "",
    })))""", list(AXE_TAGS))
    return [f"axe {one['id']}: {one['help']} — at {some(one['places'])} ({one['why']})" for one in found]


@functools.cache
def axe_source():
    """axe-core, with a timer of its own: a page without scripts has none that ever rings. What axe would wait for longer, it
    only waits for to give up; those timers never ring."""
    package = importlib.util.find_spec("axe_playwright_python")
    source = (pathlib.Path(package.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    soon = "(f, ms, ...given) => { if (!(ms > 100)) Promise.resolve().then(() => f(...given)); return 0 }"
    return f"(function (setTimeout) {{ {source}\n}}).call(window, {soon})"


def fits(page):
    """Nothing sticks out to the side of a page that is 320 pixels wide: nobody scrolls in two directions to read it (WCAG
    1.4.10). A wide table may scroll by itself, where the keyboard reaches it to do so."""
    return page.evaluate("""examples => {
        %s
        const root = document.documentElement, width = root.clientWidth, problems = []
        if (root.scrollWidth > width) problems.push(`the page scrolls sideways: it needs ${root.scrollWidth} px, and has ${width}`)
        function* chain(element) { for (; element && element !== document.body; element = element.parentElement) yield element }
        // Whether it is within something that scrolls, which the keyboard reaches for that.
        const scrolled = inner => [...chain(inner)].some(element => element.hasAttribute("tabindex") && element.tabIndex >= 0
            && ["auto", "scroll"].includes(getComputedStyle(element).overflowX))
        // What is there for screen readers only, or moved away on purpose until it is needed.
        const hidden = (element, box) => box.right <= 0 || box.bottom <= 0 || [...chain(element)].some(one => {
            const own = one.getBoundingClientRect()
            return own.width <= 1 && own.height <= 1 && getComputedStyle(one).overflowX !== "visible"
        })
        const outside = box => box.width > 0 && box.height > 0 && (box.right > width + 0.5 || box.left < -0.5)
        const texts = element => [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE && node.data.trim()).flatMap(node => {
            const range = document.createRange()
            range.selectNodeContents(node)
            return [...range.getClientRects()]
        })
        const places = new Map()
        for (const element of document.body.querySelectorAll("*")) {
            if (!element.checkVisibility({visibilityProperty: true})) continue
            const own = element.getBoundingClientRect()
            const out = outside(own) && !scrolled(element.parentElement) ? own : !scrolled(element) && texts(element).find(outside)
            // Of nested elements only the outermost is named.
            if (out && !hidden(element, out) && ![...chain(element.parentElement)].some(above => places.has(above)))
                places.set(element, `${named(element)} (${Math.round(out.left)} to ${Math.round(out.right)} px)`)
        }
        const all = [...places.values()]
        for (const place of all.slice(0, examples)) problems.push(`it sticks out of ${width} px: ${place}`)
        if (all.length > examples) problems.push(`and so do ${all.length - examples} more`)
        return problems
    }""" % NAMED, EXAMPLES_MAX)


def keyboard(page):
    """Tab reaches everything that can be used, in the order of the document and back, and nothing holds the focus. The first is
    a link that skips to the content. What has the focus is in view, and shows it by an outline or a shadow."""
    # A browser gives a field the focus that a page wants it to have once it has drawn the page: not in the midst of this.
    for _ in range(200):
        if page.evaluate("!document.querySelector('[autofocus]') || document.activeElement.matches('[autofocus]')"):
            break
        page.wait_for_timeout(20)
    elements = page.evaluate(STOPS)
    if not elements:
        return []
    problems = []
    first = elements[0]
    if not first["skips"]:
        problems.append(f"the first that Tab reaches is no link to a part of this page that is there: {first['name']}")
    forward = walk(page, "Tab", len(elements))
    problems += judged(forward, elements, "Tab", range(len(elements)))
    back = walk(page, "Shift+Tab", len(elements))
    problems += [one for one in judged(back, elements, "Shift+Tab", range(len(elements) - 1, -1, -1)) if "focus" not in one]
    return problems


# Everything that Tab should reach, in the order of the document. Of radio buttons with one name Tab reaches one. Keeps the
# elements, and how they look without the focus, in the page.
STOPS = """() => {
    %s
    const usable = 'a[href], area[href], button, input:not([type=hidden]), select, textarea, summary, iframe, audio[controls], '
        + 'video[controls], [contenteditable=""], [contenteditable=true], [tabindex]'
    // To begin at the beginning, whatever had the focus: a page may give it to a field.
    const given = document.body.getAttribute("tabindex")
    // Smooth scrolling would take its time.
    document.documentElement.style.scrollBehavior = "auto"
    window.__start = () => {
        document.body.setAttribute("tabindex", "-1")
        document.body.focus({preventScroll: true})
        given === null ? document.body.removeAttribute("tabindex") : document.body.setAttribute("tabindex", given)
        document.body.blur()
        scrollTo(0, 0)
    }
    window.__start()
    const groups = new Map(), stops = []
    for (const element of document.querySelectorAll(usable)) {
        if (!element.checkVisibility({visibilityProperty: true}) || element.closest(":disabled, [inert]")) continue
        if (element === document.body || element.tabIndex < 0) continue
        if (element.localName === "summary" && element.parentElement.querySelector("summary") !== element) continue
        if (element.type === "radio" && element.name) {
            const key = [element.form && [...document.forms].indexOf(element.form), element.name].join("/")
            const group = groups.get(key)
            if (group) { group.members.push(element); if (element.checked) group.chosen = element; continue }
            const stop = {element, members: [element], chosen: element}
            groups.set(key, stop)
            stops.push(stop)
        } else stops.push({element, members: [element], chosen: element})
    }
    for (const stop of stops) stop.element = stop.chosen
    const place = (a, b) => a.element.compareDocumentPosition(b.element) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1
    stops.sort(place)
    const seen = colour => !/^(transparent|rgba\\(.*, 0\\))$/.test(colour)
    window.__marks = element => {
        const style = getComputedStyle(element)
        const outline = style.outlineStyle === "none" || parseFloat(style.outlineWidth) === 0 || !seen(style.outlineColor) ? "none"
            : [style.outlineStyle, style.outlineWidth, style.outlineColor, style.outlineOffset].join(" ")
        return {outline, shadow: style.boxShadow}
    }
    window.__named = named
    window.__stops = stops.map(stop => ({...stop, before: new Map(stop.members.map(member => [member, window.__marks(member)]))}))
    return stops.map(({element}) => ({
        name: named(element),
        skips: element.localName === "a" && /^#./.test(element.getAttribute("href"))
            && document.getElementById(decodeURIComponent(element.getAttribute("href").slice(1))) !== null,
    }))
}""" % NAMED

# Where the focus is: the number of the stop, or null at the end; and how it looks there.
FOCUSED = """() => {
    const element = document.activeElement
    if (!element || element === document.body || element === document.documentElement) return null
    // What changes little by little is looked at as it ends up.
    for (const one of document.getAnimations()) if (one.effect.getComputedTiming().endTime !== Infinity) one.finish()
    const at = window.__stops.findIndex(stop => stop.members.includes(element)), stop = window.__stops[at]
    const now = window.__marks(element), before = stop && stop.before.get(element), box = element.getBoundingClientRect()
    const style = getComputedStyle(element)
    return {
        at,
        name: window.__named(element),
        // A browser lets the keyboard reach what scrolls, even where the page does not say so.
        scroller: [style.overflowX, style.overflowY].some(way => way === "auto" || way === "scroll"),
        shows: !before || ["outline", "shadow"].some(kind => now[kind] !== "none" && now[kind] !== before[kind]),
        inView: box.width > 1 && box.height > 1
            && box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight,
    }
}"""


def walk(page, key, count):
    """Where the focus is after each press of a key, until it leaves the page; `held` where it never does."""
    page.evaluate("window.__start()")
    # Backwards out of the page: the next press comes into it, from its beginning or from its end.
    page.keyboard.press("Shift+Tab")
    steps = []
    for _ in range(2 * count + 10):
        page.keyboard.press(key)
        step = page.evaluate(FOCUSED)
        if step is None:
            return {"steps": steps, "held": False}
        steps.append(step)
    return {"steps": steps, "held": True}


def judged(walked, elements, key, order):
    problems, steps = [], walked["steps"]
    reached = list(dict.fromkeys(step["at"] for step in steps if step["at"] >= 0))
    if walked["held"]:
        problems.append(f"{key} never leaves the page: it ends at {steps[-1]['name']}")
    missed = [elements[at]["name"] for at in order if at not in reached]
    if missed:
        problems.append(f"{key} does not reach {some(missed)}")
    expected = [at for at in order if at in reached]
    wrong = next((at for at, other in zip(reached, expected) if at != other), None)
    if wrong is not None:
        problems.append(f"{key} goes in another order than the document's: {elements[wrong]['name']} comes at the wrong place")
    strange = [step["name"] for step in steps if step["at"] < 0 and not step["scroller"]]
    if strange:
        problems.append(f"{key} stops at what cannot be used: {some(strange)}")
    dull = [step["name"] for step in steps if not step["shows"]]
    if dull:
        problems.append(f"no outline or shadow shows that it has the focus: {some(dull)}")
    away = [step["name"] for step in steps if not step["inView"]]
    if away:
        problems.append(f"it is out of view while it has the focus: {some(away)}")
    return problems


def weigh(responses):
    """The bytes of a page and all that it loads, each compressed by gzip."""
    return sum(len(gzip.compress(whole(response), 6)) for response in responses)


def whole(response):
    """An answer's body; of one that only says that the browser's copy is still good (304), what it is a copy of."""
    if response.status != 304:
        return response.body()
    return response.frame.page.context.request.get(response.url).body()


def weight(responses, most=PAGE_BYTES_MAX):
    """A page is light: `weight(visit.loaded())`."""
    if not responses:
        return ["nothing was loaded that could be weighed"]
    weighs = weigh(responses)
    return [f"the page weighs {weighs / 1024:.1f} KB compressed, more than {most / 1024:.0f}"] if weighs > most else []


def no_store(response):
    """No copy of the answer is kept by a browser or on the way."""
    said = response.headers.get("cache-control", "")
    directives = [directive.strip().lower() for directive in said.split(",")]
    return [] if "no-store" in directives else [f"Cache-Control is {said!r}, without no-store — at {response.url}"]


def headings(page):
    """The first heading is the only one of level 1, and no level is skipped on the way down."""
    found = page.evaluate("""() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6, [role=heading]")]
        .filter(heading => heading.checkVisibility({visibilityProperty: true}))
        .map(heading => [Number(heading.getAttribute("aria-level") || heading.localName.slice(1)) || 2, heading.innerText.trim()])""")
    problems, before = [], 0
    firsts = sum(level == 1 for level, _ in found)
    if firsts != 1:
        problems.append(f"{firsts or 'no'} headings of level 1 instead of one")
    for level, text in found:
        if not text:
            problems.append(f"a heading of level {level} is empty")
        if level > before + 1:
            problems.append(f"the heading {text[:40]!r} of level {level} follows one of level {before}" if before
                            else f"the first heading {text[:40]!r} is of level {level}")
        before = level
    return problems


INSTANT = re.compile(r"\d{4}-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?|\d\d:\d\d(:\d\d)?|P[\dYMWDTHS.]+")


def times(page):
    """Each time on the page can be read by programs too: `<time datetime="2026-11-29T12:01:07Z">`."""
    found = page.evaluate("""() => [...document.querySelectorAll("time")]
        .map(time => [time.getAttribute("datetime"), time.innerText.trim()])""")
    problems = [f"<time> without datetime: {text[:40]!r}" for given, text in found if not given]
    problems += [f"datetime={given[:40]!r} is no time" for given, _ in found if given and not INSTANT.fullmatch(given)]
    return problems


def titles(page, taken):
    """The page has a title, and no other page has the same: `taken` are the titles of the others."""
    title = page.title().strip()
    if not title:
        return ["the title is empty"]
    return [f"another page has the title {title!r} too"] if title in taken else []


def texts_apart(page):
    """The texts of a drawing stand apart, and within it: none is written over another one."""
    return page.evaluate("""examples => {
        const problems = []
        for (const drawing of document.querySelectorAll("svg[role=img]")) {
            if (!drawing.checkVisibility({visibilityProperty: true})) continue
            const whole = drawing.getBoundingClientRect()
            const texts = [...drawing.querySelectorAll("text")].map(text => ({words: text.textContent.trim(), box: text.getBoundingClientRect()}))
            for (const [at, {words, box}] of texts.entries()) {
                if (box.left < whole.left - 1 || box.right > whole.right + 1 || box.top < whole.top - 1 || box.bottom > whole.bottom + 1)
                    problems.push(`a text of a drawing leaves it: "${words}"`)
                for (const other of texts.slice(at + 1)) {
                    const wide = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left)
                    const high = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top)
                    // The boxes of lines are higher than what is written.
                    if (wide > 1 && high > 0.3 * Math.min(box.height, other.box.height))
                        problems.push(`a text of a drawing stands upon another one: "${words}" and "${other.words}"`)
                }
            }
        }
        return problems.slice(0, examples)
    }""", EXAMPLES_MAX)


# What a button and a field look like beside others, in pixels.
GAP_MIN, UNEVEN_MAX = 5, 1.5


def spaced(page):
    """Buttons, fields, headings and tables keep a distance; fields and buttons that stand in one line end on one line; and no button
    is stretched."""
    return page.evaluate("""([examples, gap, uneven]) => {
        %s
        const shown = element => element.checkVisibility({visibilityProperty: true}) && element.getBoundingClientRect().width > 1
        const all = selector => [...document.querySelectorAll(selector)].filter(shown).filter(one => !one.closest(".skip"))
        const problems = []
        const solid = "button:not(.plain), .button, input:not([type=checkbox], [type=radio], [type=hidden]), select, textarea, fieldset, "
            + "table, pre, summary, h1, h2, h3, .card, .verdict, .chart"
        const boxes = all("main, footer").flatMap(part => [...part.querySelectorAll(solid)]).filter(shown)
            .map(element => ({element, box: element.getBoundingClientRect()}))
        for (const [at, {element, box}] of boxes.entries()) for (const other of boxes.slice(at + 1)) {
            if (element.contains(other.element) || other.element.contains(element)) continue
            const across = Math.max(box.left, other.box.left) - Math.min(box.right, other.box.right)
            const down = Math.max(box.top, other.box.top) - Math.min(box.bottom, other.box.bottom)
            if (across < gap && down < gap)
                problems.push(`${named(element)} and ${named(other.element)} are ${Math.max(across, down, 0).toFixed(0)} px apart, less than ${gap}`)
        }
        for (const button of all("button:not(.plain), .button")) {
            const style = getComputedStyle(button), inner = document.createRange()
            inner.selectNodeContents(button)
            const empty = button.getBoundingClientRect().height - inner.getBoundingClientRect().height
            if (empty > 2.5 * parseFloat(style.fontSize)) problems.push(`${named(button)} is stretched: it is ${Math.round(empty)} px higher than its text`)
        }
        for (const line of all("form.line, div.line")) {
            const fields = [...line.querySelectorAll("input:not([type=checkbox], [type=radio], [type=hidden]), select, button:not(.plain)")].filter(shown)
                .map(element => ({element, box: element.getBoundingClientRect()}))
            for (const [at, {element, box}] of fields.entries()) for (const other of fields.slice(at + 1)) {
                const beside = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top) > 0
                if (beside && (Math.abs(box.bottom - other.box.bottom) > uneven || Math.abs(box.top - other.box.top) > uneven))
                    problems.push(`${named(element)} and ${named(other.element)} stand in one line, and are not of one height`)
            }
        }
        return problems.slice(0, examples)
    }""" % NAMED, [EXAMPLES_MAX, GAP_MIN, UNEVEN_MAX])


def harmless(page):
    """Nothing of what others wrote (hostile.py) is a part of the page: it ran nowhere, and put no element there."""
    return page.evaluate("""() => {
        %s
        const problems = document.documentElement.dataset.pwn ? ["what somebody else wrote was run"] : []
        for (const element of document.querySelectorAll("*")) {
            const ran = [...element.attributes].find(one => one.name.startsWith("on") || one.name === "data-pwn" || one.name === "style")
            if (ran) problems.push(`what somebody else wrote is a part of the page: ${named(element)} has ${ran.name}`)
        }
        return problems.slice(0, 4)
    }""" % NAMED)


def current(page):
    """Where somebody is in a list of links is seen, in forced colours too: by a line or a ground, not by thick letters alone."""
    return page.evaluate("""() => {
        %s
        const looks = link => { const style = getComputedStyle(link); return [style.borderBottomStyle, style.borderBottomWidth,
            style.borderBottomColor, style.backgroundColor, style.outlineStyle].join() }
        const problems = []
        for (const here of document.querySelectorAll("nav a[aria-current]")) {
            const other = [...here.closest("nav").querySelectorAll("li a:not([aria-current])")][0]
            if (other && other.checkVisibility() && looks(other) === looks(here))
                problems.push(`nothing but its letters shows that one is here: ${named(here)}`)
        }
        return problems
    }""" % NAMED)


def still(page):
    """Nothing moves: for people who asked their browser for reduced motion."""
    moving = page.evaluate("""() => {
        %s
        return document.getAnimations().filter(one => one.playState === "running").map(one => named(one.effect.target))
    }""" % NAMED)
    return [f"it moves, in spite of prefers-reduced-motion: {some(moving)}"] if moving else []


def screenshot(page, name, height=None):
    """The whole page, or so much of it from the top, as target/browser/NAME.png, for people to look at. Gives its path."""
    path = harness.SCREENSHOTS / f"{re.sub(r'[^A-Za-z0-9-]+', '-', name).strip('-')}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    clip = {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height} if height else None
    page.screenshot(path=path, full_page=True, clip=clip, animations="disabled")
    return path


def some(names):
    """The first of many names, and how many more there are."""
    names = list(dict.fromkeys(names))
    more = len(names) - EXAMPLES_MAX
    return ", ".join(names[:EXAMPLES_MAX]) + (f" and {more} more" if more > 0 else "")
