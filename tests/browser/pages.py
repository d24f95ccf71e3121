"""The portal's pages, as the tests go through them, and how somebody signs in.

Each page is looked at as each of its roles, over each of its ledgers (product.py). `path` may hold `{names}` in braces, which the
ledger gives values to. A page's `status` is what it must answer. One that is on show only after something was done there has
`act`, which does it: `act(visit, ledger)`. A page that is not `private` may be kept by browsers.

What stands behind a colon in a name is a state of that page. Pages have titles of their own; states of one may share it.
"""

import dataclasses

from harness import NOBODY

FULL, EMPTY, HOSTILE = LEDGERS = ("full", "empty", "hostile")
VIEWER, ADMIN, OPERATOR = "viewer", "admin", "operator"
ADMINS, EVERYBODY = (ADMIN, OPERATOR), (VIEWER, ADMIN, OPERATOR)
# In a quick run: as whom pages are looked at over other ledgers than the full one.
QUICK_ROLES = {HOSTILE: (ADMIN,)}
OF_SERVER = "/servers/{server}"


@dataclasses.dataclass(frozen=True)
class Page:
    name: str
    path: str
    roles: tuple = (NOBODY,)
    ledgers: tuple = LEDGERS
    status: int = 200
    act: object = None
    private: bool = True


def by_link(page, link):
    """Signs in by a one-use link. It leads to a form, to keep programs that follow links from using it up."""
    page.goto(link)
    button = page.locator("main form[method=post] button")
    if button.count() == 1:
        button.click()
        page.wait_for_load_state("load")


def sends(button, **fields):
    """Fills a form's fields, by their ids, and sends it by its button."""

    def act(visit, ledger):
        for name, text in fields.items():
            field = visit.page.locator(f"#{name}")
            text = ledger.value(text[1:-1]) if text.startswith("{") else text
            if field.evaluate("field => field.localName") == "select":
                field.select_option(text)
            else:
                field.fill(text)
        clicks(visit, visit.page.get_by_role("button", name=button, exact=True).last)

    return act


def clicks(visit, target):
    """Clicks what leads to another page, and waits for that."""
    with visit.page.expect_navigation():
        target.click()


def opens_all(visit, _):
    """Opens every part that is folded, as somebody does who wants to see all."""
    for part in visit.page.locator("main details").all():
        if part.get_attribute("open") is None:
            part.locator("> summary").click()


PAGES = [
    # Of signing in.
    Page("sign-in", "/sign-in"),
    Page("sign-in: no address", "/sign-in", ledgers=(FULL,), act=sends("Send a code", address="x@1"), status=400),
    Page("code", "/sign-in/code", ledgers=(FULL,)),
    Page("code: not the code", "/sign-in/code", ledgers=(FULL,), act=sends("Sign in", code="00000000"), status=403),
    Page("code: a link elsewhere", "/sign-in/{link}", ledgers=(FULL,)),
    Page("sign-in: by a link", "/link/{link}", ledgers=(FULL,)),
    Page("link: used up", "/link/used-up", ledgers=(FULL,), status=410),
    Page("signed out", "/account", ledgers=(FULL,), status=401),
    Page("not found", "/nothing/here", EVERYBODY, ledgers=(FULL,), status=404),
    Page("confirm", "/confirm?back=/people", EVERYBODY, ledgers=(FULL, HOSTILE)),
    Page("confirm: sent", "/confirm?back=/people", (ADMIN,), ledgers=(FULL,), act=sends("Send me a code")),
    # Of everything that somebody may see.
    Page("servers", "/", EVERYBODY),
    Page("account", "/account", EVERYBODY),
    Page("all people", "/people", (OPERATOR,)),
    Page("all people: found", "/people", (OPERATOR,), act=lambda visit, ledger: finds_people(visit, ledger)),
    Page("all people: none to invite", "/people", (OPERATOR,), ledgers=(FULL,), status=400,
         act=sends("Invite", addresses="nobody at all", servers="x")),
    Page("somebody", "/people?user={person}", (OPERATOR,)),
    Page("somebody: to be removed", "/people?remove={person}", (OPERATOR,), ledgers=(FULL, HOSTILE)),
    Page("branding", "/branding", (OPERATOR,)),
    Page("branding: preview", "/branding", (OPERATOR,), ledgers=(FULL, EMPTY), act=sends("Preview", name="Agency Mail", accent="#ffcc00")),
    Page("branding: no colour", "/branding", (OPERATOR,), ledgers=(FULL,), status=400, act=sends("Preview", accent="red")),
    Page("new server", "/servers/new", (OPERATOR,)),
    # Of a server.
    Page("overview", OF_SERVER, EVERYBODY),
    Page("activity", OF_SERVER + "/activity", EVERYBODY),
    Page("activity: bounces", OF_SERVER + "/activity?show=bounced", (VIEWER,), ledgers=(FULL, HOSTILE)),
    Page("find", OF_SERVER + "/recipients", EVERYBODY, ledgers=(FULL, EMPTY)),
    Page("find: no address", OF_SERVER + "/recipients", (ADMIN,), ledgers=(FULL, HOSTILE), status=400,
         act=sends("Look it up", address='<script>"no address')),
    Page("recipient", OF_SERVER + "/recipients/{recipient}", EVERYBODY, ledgers=(FULL, HOSTILE)),
    Page("recipient: looked up", OF_SERVER + "/recipients", (VIEWER,), act=sends("Look it up", address="{address}")),
    Page("recipient: at another time", OF_SERVER + "/recipients/{recipient}?at=2026-01-01T00:00:00Z&known_at=2026-01-02T00:00:00Z", (ADMIN,),
         ledgers=(FULL, HOSTILE)),
    Page("message", OF_SERVER + "/messages/{message}", EVERYBODY, ledgers=(FULL, HOSTILE)),
    Page("no message", OF_SERVER + "/messages/none", (VIEWER,), ledgers=(FULL, EMPTY), status=404),
    Page("content", OF_SERVER + "/messages/{message}/content", EVERYBODY, ledgers=(FULL,)),
    Page("content: Postmark cannot be asked", OF_SERVER + "/messages/{message}/content", (OPERATOR,), ledgers=(FULL,), status=409,
         act=sends("Show the mail")),
    Page("content: shown", OF_SERVER + "/messages/00000000-0000-0000-0000-000000000001/content", (ADMIN,), ledgers=(HOSTILE,),
         act=lambda visit, _: shows_a_mail(visit)),
    Page("sent", OF_SERVER + "/sent", EVERYBODY, ledgers=(FULL,)),
    Page("sent: nothing", OF_SERVER + "/sent?of={recipient}", (ADMIN,), ledgers=(HOSTILE,)),
    Page("sent: Postmark cannot be asked", OF_SERVER + "/sent?of={recipient}", (VIEWER,), ledgers=(FULL,), status=409),
    Page("inbound", OF_SERVER + "/inbound", EVERYBODY, ledgers=(HOSTILE,)),
    Page("inbound: Postmark cannot be asked", OF_SERVER + "/inbound", (VIEWER,), ledgers=(FULL,)),
    Page("suppressions", OF_SERVER + "/suppressions?stream={stream}", EVERYBODY),
    Page("suppressions: a day that is none", OF_SERVER + "/suppressions?from=yesterday", (ADMIN,), ledgers=(FULL,), status=400),
    Page("suppress", OF_SERVER + "/suppress?recipient={recipient}", ADMINS, ledgers=(FULL, HOSTILE)),
    Page("suppress: no reason", OF_SERVER + "/suppress", (ADMIN,), ledgers=(FULL,), status=400,
         act=lambda visit, ledger: plans(visit, ledger, reason=" ")),
    Page("suppress: plan", OF_SERVER + "/suppress", (ADMIN,), act=lambda visit, ledger: plans(visit, ledger)),
    Page("suppress: done", OF_SERVER + "/suppress", (ADMIN,), ledgers=(HOSTILE,), act=lambda visit, ledger: carries_out(visit, ledger)),
    Page("reactivate", OF_SERVER + "/recipients/{recipient}/reactivate", ADMINS, ledgers=(FULL, HOSTILE)),
    Page("reactivate: plan", OF_SERVER + "/recipients/{recipient}/reactivate", (ADMIN,), ledgers=(FULL, HOSTILE),
         act=lambda visit, ledger: plans(visit, ledger)),
    Page("import", OF_SERVER + "/import", ADMINS),
    Page("import: plan", OF_SERVER + "/import", (ADMIN,), act=lambda visit, ledger: plans(visit, ledger)),
    Page("import: no list", OF_SERVER + "/import", (ADMIN,), ledgers=(FULL,), status=400,
         act=lambda visit, ledger: plans(visit, ledger, list="this is no list at all, and has no address")),
    Page("data", OF_SERVER + "/recipients/{recipient}/data", ADMINS, ledgers=(FULL, HOSTILE)),
    Page("check", OF_SERVER + "/check", EVERYBODY),
    Page("check: result", OF_SERVER + "/check", EVERYBODY, act=lambda visit, ledger: checks_addresses(visit, ledger)),
    Page("check: nothing to check", OF_SERVER + "/check", (ADMIN,), ledgers=(FULL,), status=400,
         act=sends("Check", stream="outbound", addresses=" ")),
    Page("statistics", OF_SERVER + "/statistics", EVERYBODY, act=opens_all),
    Page("statistics: by hour", OF_SERVER + "/statistics?by=hour", (ADMIN,), ledgers=(FULL, HOSTILE)),
    Page("statistics: backwards", OF_SERVER + "/statistics?from=2026-02-02&to=2026-02-01", (ADMIN,), ledgers=(FULL,), status=400),
    Page("report", OF_SERVER + "/report", EVERYBODY, act=opens_all),
    Page("report: no month", OF_SERVER + "/report?month=0000", (VIEWER,), ledgers=(FULL,), status=400),
    Page("truth", OF_SERVER + "/truth", EVERYBODY, act=opens_all),
    Page("people", OF_SERVER + "/people", ADMINS),
    Page("people: none to invite", OF_SERVER + "/people", (ADMIN,), ledgers=(FULL,), status=400, act=sends("Invite", addresses="nobody at all")),
    Page("person", OF_SERVER + "/people?user={person}", ADMINS, ledgers=(FULL, HOSTILE)),
    Page("person: to be removed", OF_SERVER + "/people?remove={person}", ADMINS, ledgers=(FULL, HOSTILE)),
    Page("webhooks", OF_SERVER + "/webhooks", ADMINS),
    Page("webhooks: cannot be planned", OF_SERVER + "/webhooks", (ADMIN,), ledgers=(FULL,), status=409, act=sends("Show what would be done")),
    Page("set-up", OF_SERVER + "/set-up", ADMINS),
    Page("set-up: no address", OF_SERVER + "/set-up", (ADMIN,), status=400,
         act=sends("Send it now", stream="outbound", **{"from": "x@1", "to": "x@1"})),
    Page("audit", OF_SERVER + "/audit", ADMINS),
    Page("settings", OF_SERVER + "/settings", ADMINS),
    Page("tokens", OF_SERVER + "/settings/tokens", ADMINS),
    Page("tokens: no name", OF_SERVER + "/settings/tokens", (ADMIN,), ledgers=(FULL,), status=400, act=sends("Make it", name=" ")),
    Page("postmark token", OF_SERVER + "/settings/postmark", ADMINS),
    Page("postmark server", OF_SERVER + "/settings/postmark-server", ADMINS),
    Page("postmark server: plan", OF_SERVER + "/settings/postmark-server", (ADMIN,), ledgers=(EMPTY, HOSTILE),
         act=lambda visit, ledger: plans_at_postmark(visit, "Another name")),
    Page("postmark server: no name", OF_SERVER + "/settings/postmark-server", (ADMIN,), ledgers=(EMPTY, HOSTILE), status=400,
         act=lambda visit, ledger: plans_at_postmark(visit, " ")),
    Page("policy", OF_SERVER + "/settings/policy", ADMINS, act=opens_all),
    Page("policy: plan", OF_SERVER + "/settings/policy", (ADMIN,), act=lambda visit, ledger: plans_a_policy(visit, count="1", messages="1")),
    Page("policy: more messages than bounces", OF_SERVER + "/settings/policy", (ADMIN,), ledgers=(FULL,), status=400,
         act=lambda visit, ledger: plans_a_policy(visit, count="2", messages="3")),
    Page("smtp", OF_SERVER + "/settings/smtp", ADMINS),
    Page("smtp: a stream", OF_SERVER + "/settings/smtp?stream=outbound", ADMINS, ledgers=(FULL, HOSTILE)),
    Page("smtp: no keys", OF_SERVER + "/settings/smtp?stream=outbound", (ADMIN,), ledgers=(FULL,), status=400,
         act=sends("Check and store", access_key="two words", secret_key="two words")),
    # What a viewer may not know of.
    Page("not found: not for a viewer", OF_SERVER + "/people", (VIEWER,), ledgers=(FULL,), status=404),
]


def shows_a_mail(visit):
    # What the mail tries, and the frame that it is shown in does not let it do.
    visit.watch.may_say("Blocked script execution in", "Refused to execute the redirect", 'Content Security Policy directive: "img-src data:"')
    clicks(visit, visit.page.get_by_role("button", name="Show the mail", exact=True))
    visit.page.get_by_role("button", name="Show the HTML below", exact=True).click()
    visit.page.frame_locator("iframe[name=mail]").get_by_text("words of the mail", exact=True).wait_for()


def plans_at_postmark(visit, name):
    visit.page.get_by_label("Name", exact=True).fill(name)
    visit.page.get_by_label("Mail by SMTP", exact=True).select_option("off")
    clicks(visit, visit.page.get_by_role("button", name="Show what this would change", exact=True))


def plans_a_policy(visit, **numbers):
    for name, number in numbers.items():
        visit.page.locator(f"#transactional-{name}").fill(number)
    clicks(visit, visit.page.get_by_role("button", name="Show what this would change", exact=True).first)


def plans(visit, ledger, **typed):
    """Fills the form of a change in as somebody does who has a list with mistakes in it, and asks what would be done."""
    typed = {"addresses": f"{ledger.value('checked')}\nnot an address", "list": "email,cause\nold@customer.example,unsubscribe\nnot an address,x",
             "reason": "asked on the telephone", **typed}
    stream = visit.page.locator("#stream")
    if stream.evaluate("field => field.localName") == "select":
        stream.select_option(index=1)
    else:
        stream.fill("outbound")
    for name, text in typed.items():
        field = visit.page.locator(f"#{name}")
        if field.count() == 1:
            field.fill(text)
    # Not every ledger may ask Postmark.
    at_postmark = visit.page.locator("[name=postmark]")
    if at_postmark.count() == 1:
        at_postmark.uncheck()
    clicks(visit, visit.page.get_by_role("button", name="Show what would be done", exact=True))


def carries_out(visit, ledger):
    plans(visit, ledger)
    clicks(visit, visit.page.get_by_role("button", name="Do it", exact=True))


def finds_people(visit, ledger):
    visit.page.get_by_label("Find by address").fill("example")
    clicks(visit, visit.page.get_by_role("button", name="Find", exact=True))


def checks_addresses(visit, ledger):
    # Of few streams one is chosen, of many it is typed.
    stream = visit.page.locator("#stream")
    if stream.evaluate("field => field.localName") == "select":
        stream.select_option(index=1)
    else:
        stream.fill("outbound")
    visit.page.locator("#addresses").fill(ledger.value("checked"))
    clicks(visit, visit.page.get_by_role("button", name="Check", exact=True))
    opens_all(visit, ledger)
