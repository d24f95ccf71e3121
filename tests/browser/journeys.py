"""What people do in the portal, from the beginning to the end: each journey is a function, and its name says what holds.

A journey gets a `Run` (run.py): `run.visit(role)` opens a visit as somebody who has signed in, or as nobody; `run.enter(role)` one
with a session of its own; `run.ledgers` has the ledgers (product.py), with their commands and the mail that they send;
`run.somebody()` is an address that nobody has yet. It fails by any exception, and by whatever a visit records (harness.Watch).
"""

import base64
import csv
import datetime
import io
import re
import time

from checks import Failed, keyboard, require, screenshot
from harness import NOBODY
from pages import EMPTY, FULL, HOSTILE, PAGES, clicks
from product import OTHER_SERVER, SERVER

BOUNCED = "no.such.user@customer.example"
OF_SERVER = f"/servers/{SERVER}"
# A picture of one pixel.
LOGO = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# How many times the keyboard is pressed until something must have the focus.
PRESSES_MAX = 150
# The picture of a recipient's page is wide enough to be read beside a text, and cut so much below what can be done.
PICTURE_WIDTH, PICTURE_BELOW = 1100, 28


def needs(holds, what):
    if not holds:
        raise Failed(what)


def shows(visit, *texts):
    """What is on show says all of these."""
    page = visit.page
    said = f"{page.title()}\n{page.locator('body').inner_text()}"
    for text in texts:
        needs(text in said, f"{text!r} is not on {visit.path()}, which says: {said[:1500]}")


def shows_not(visit, *texts):
    said = visit.page.content()
    for text in texts:
        needs(text not in said, f"{text!r} is on {visit.path()}, and must not be")


def button(visit, name):
    return visit.page.get_by_role("button", name=name, exact=True)


def link(visit, name, **how):
    return visit.page.get_by_role("link", name=name, **{"exact": True, **how})


def asks_for_a_code(visit, address):
    visit.open("/sign-in")
    visit.page.get_by_label("Your address").fill(address)
    clicks(visit, button(visit, "Send a code"))


def gives(visit, code):
    visit.page.get_by_label("Code").fill(code)
    clicks(visit, button(visit, "Sign in"))


def downloads(visit, target):
    """What is downloaded by a click, as rows of a table with a header."""
    with visit.page.expect_download() as coming:
        target.click()
    with open(coming.value.path(), encoding="utf-8", newline="") as file:
        text = file.read()
    return coming.value.suggested_filename, list(csv.DictReader(io.StringIO(text)))


def an_invited_person_finds_out_why_an_address_may_not_be_mailed_and_leaves_nothing_behind(run):
    ledger, address = run.ledgers[FULL], run.somebody()
    operator = run.enter("operator")
    operator.open(f"{OF_SERVER}/people")
    operator.page.get_by_label("Addresses", exact=True).fill(address)
    operator.page.get_by_label("What they may do").select_option("viewer")
    clicks(operator, button(operator, "Invite"))
    shows(operator, "One person is invited.", address)
    needs(ledger.base in ledger.mail(address, "invitation"), "the invitation does not say where the portal is")

    visit = run.visit(NOBODY)
    asks_for_a_code(visit, address)
    gives(visit, ledger.code(address)[0])
    shows(visit, "Your servers", address)

    # From the first page to the answer: to the server, and by the address.
    clicks(visit, visit.page.get_by_role("link", name=re.compile("sample|8123456")).first)
    visit.page.get_by_label("Address", exact=True).fill(BOUNCED)
    clicks(visit, button(visit, "Look it up"))
    verdict = visit.page.locator("h1").inner_text()
    needs(all(word in verdict for word in ("not on outbound", "hard bounce")), f"the answer is {verdict!r}")

    # The evidence, what happened, and the message that it was.
    visit.page.locator(".card.stop .evidence a").first.click()
    told = visit.page.locator(":target")
    needs("Bounced" in told.inner_text(), f"the evidence is {told.inner_text()!r}")
    clicks(visit, told.get_by_role("link", name="message"))
    shows(visit, "Not delivered: it bounced.", ledger.values["message"])

    clicks(visit, link(visit, "Suppressions"))
    name, rows = downloads(visit, link(visit, "Download all as CSV"))
    needs(name.endswith(".csv") and f"{SERVER}" in name, f"the file is called {name}")
    mine = [row for row in rows if row["recipient_id"] == ledger.values["recipient"]]
    needs(len(mine) == 1 and mine[0]["causes"] == "hard_bounce" and mine[0]["since"], f"the file has {rows}")
    # Somebody who may not see whole addresses has none in the file either.
    needs(BOUNCED not in str(rows) and "customer.example" in mine[0]["address"], f"the file has {mine}")

    clicks(visit, button(visit, "Sign out"))
    visit.watch.allow(401)
    for _ in range(2):
        visit.page.go_back()
        shows(visit, "You are signed out")
        shows_not(visit, address, BOUNCED, "customer.example")


def five_wrong_codes_spend_a_code_and_the_next_one_opens(run):
    ledger, address = run.ledgers[FULL], run.somebody()
    ledger.invite("viewer", address)
    visit = run.visit(NOBODY)
    asks_for_a_code(visit, address)
    right = ledger.code(address)[0].replace(" ", "")
    visit.watch.allow(403)
    for wrong in range(1, 6):
        gives(visit, f"{(int(right) + wrong) % 100_000_000:08}")
        shows(visit, "That is not the code." if wrong < 5 else "Too many wrong codes were entered.")
    # The right one comes too late.
    gives(visit, right)
    shows_not(visit, "Your servers")
    clicks(visit, link(visit, "Ask for another code"))
    asks_for_a_code(visit, address)
    gives(visit, ledger.code(address)[0])
    shows(visit, "Your servers", address)


def a_mailed_link_opens_in_the_browser_that_asked_and_in_no_other(run):
    ledger, address = run.ledgers[FULL], run.somebody()
    ledger.invite("viewer", address)
    visit, other = run.visit(NOBODY), run.visit(NOBODY)
    asks_for_a_code(visit, address)
    mailed = ledger.code(address)[1]
    other.open(mailed)
    shows(other, "works only in the browser that asked for it")
    needs(button(other, "Sign in").count() == 1 and other.page.get_by_label("Code").count() == 1, "there is no field for the code")
    visit.open(mailed)
    clicks(visit, button(visit, "Sign in"))
    shows(visit, "Your servers", address)
    # It is spent.
    visit.open(mailed)
    shows(visit, "works only in the browser that asked for it")


def a_link_of_the_command_line_opens_once(run):
    ledger, address = run.ledgers[FULL], run.somebody()
    ledger.invite("viewer", address)
    opens = ledger.link(address)
    # Programs that follow links before people do spend nothing.
    run.visit(NOBODY).open(opens)
    visit, late = run.visit(NOBODY), run.visit(NOBODY)
    late.open(opens)
    visit.open(opens)
    clicks(visit, button(visit, "Sign in"))
    shows(visit, "Your servers", address)
    late.watch.allow(410)
    clicks(late, button(late, "Sign in"))
    shows(late, "This link can no longer be used")
    run.visit(NOBODY).open(opens, status=410)


def who_is_removed_is_told_at_the_next_click_and_keeps_what_was_typed(run):
    ledger, address = run.ledgers[FULL], run.somebody()
    ledger.invite("viewer", address)
    visit = run.visit(NOBODY)
    visit.open(ledger.link(address))
    clicks(visit, button(visit, "Sign in"))
    visit.open(f"{OF_SERVER}/check")
    visit.page.get_by_label("Stream to mail on").select_option("outbound")
    typed = "ida.moreau@customer.example\nsomebody.new@customer.example"
    visit.page.get_by_label("Addresses", exact=True).fill(typed)

    operator = run.enter("operator")
    operator.open(f"{OF_SERVER}/people")
    clicks(operator, link(operator, address))
    clicks(operator, link(operator, "Remove…"))
    shows(operator, f"Remove {address}")
    clicks(operator, button(operator, "Remove"))
    shows(operator, "They are removed.")

    visit.watch.allow(401)
    clicks(visit, button(visit, "Check"))
    shows(visit, "You are signed out", "What you typed", *typed.split("\n"))
    shows_not(visit, "Nothing speaks against")
    clicks(visit, link(visit, "Sign in"))
    visit.open("/account", status=401)


def tabs_to(visit, target):
    """Presses Tab until something has the focus."""
    for _ in range(PRESSES_MAX):
        visit.page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    raise Failed(f"{target} is not reached by {PRESSES_MAX} times Tab on {visit.path()}")


def presses(visit, key):
    with visit.page.expect_navigation():
        visit.page.keyboard.press(key)


def looks_up_an_address_by_keyboard(run, **changes):
    visit = run.visit(NOBODY, **changes)
    visit.open("/sign-in")
    tabs_to(visit, button(visit, "Enter as a client’s viewer"))
    presses(visit, "Enter")
    tabs_to(visit, visit.page.locator(f"main a[href='{OF_SERVER}']"))
    presses(visit, "Enter")
    # The first that Tab reaches skips to the content.
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    tabs_to(visit, visit.page.get_by_label("Address", exact=True))
    visit.page.keyboard.type(BOUNCED)
    presses(visit, "Enter")
    shows(visit, "not on outbound", "hard bounce")
    # The answer is the first heading, and what it rests on is reached too.
    tabs_to(visit, visit.page.locator(".card.stop .evidence a").first)


def an_address_is_looked_up_by_keyboard_alone(run):
    looks_up_an_address_by_keyboard(run)


def an_address_is_looked_up_by_keyboard_without_scripts(run):
    looks_up_an_address_by_keyboard(run, scripts=False)


def a_day_before_the_bounce_the_address_could_be_mailed(run):
    ledger, visit = run.ledgers[FULL], run.visit("viewer")
    page = f"{OF_SERVER}/recipients/{ledger.values['recipient']}"
    visit.open(page)
    at = visit.page.locator(".card.stop .evidence time").first.get_attribute("datetime")
    bounced = datetime.datetime.fromisoformat(at)
    for hours, says in ((-24, "may be mailed"), (1, "do not mail")):
        visit.open(page)
        visit.page.locator("footer summary").click()
        then = f"{bounced + datetime.timedelta(hours=hours):%Y-%m-%dT%H:%M}"
        visit.page.get_by_label("As it was at").fill(then)
        clicks(visit, button(visit, "Look"))
        # It was known only later: then as now, what the ledger says of a time does not depend on when it is asked.
        shows(visit, "You are looking at another time", then.replace("T", " "))
        card = visit.page.locator(".card", has=visit.page.get_by_role("heading", name=re.compile("^outbound")))
        needs(says in card.inner_text(), f"{hours} h from the bounce it says {card.inner_text()!r}")
    clicks(visit, link(visit, "Back to now"))
    shows_not(visit, "You are looking at another time")


def the_file_of_statistics_says_what_their_tables_say(run):
    visit, day = run.visit("admin"), None
    # Both end with today: where midnight comes between them, they are read again.
    while day != today():
        day = today()
        visit.open(f"{OF_SERVER}/statistics")
        volume, bounces = ([[cell.strip() for cell in row.locator("th, td").all_text_contents()]
                            for row in visit.page.locator(f"#{figure}-h ~ details tbody tr").all()] for figure in ("volume", "bounces"))
        _, rows = downloads(visit, link(visit, "Download all as CSV").first)
    rows.reverse()
    needs(len(rows) == len(volume) == len(bounces) > 20, f"{len(rows)} rows of the file, {len(volume)} and {len(bounces)} of tables")
    bounced = 0
    for row, counted, rated in zip(rows, volume, bounces):
        delivered, failed, complained = (int(cell.replace(",", "")) for cell in counted[1:4])
        rate = float(row["bounce_rate"]) if row["bounce_rate"] else None
        needs(int(row["delivered"]) == delivered and int(row["complaint"]) == complained, f"the file has {row}, the table {counted}")
        needs(int(rated[1]) == failed and (rate is None) == (failed + delivered == 0), f"the file has {row}, the tables {counted} and {rated}")
        needs(rate is None or abs(rate - failed / (failed + delivered)) < 1e-6, f"the file has {row}, the table {rated}")
        needs(rate is None or abs(rate - float(rated[3].rstrip("%")) / 100) < 0.001, f"the file has {row}, the table {rated}")
        bounced += failed
    needs(bounced > 0, "nothing bounced, so that nothing was compared")


def a_token_is_shown_once_and_revoked(run):
    admin = run.enter("admin")
    admin.open(f"{OF_SERVER}/settings")
    clicks(admin, link(admin, "API tokens"))
    admin.page.get_by_label("Name", exact=True).fill("a shop")
    admin.page.get_by_label("Valid for").select_option("30")
    clicks(admin, button(admin, "Make it"))
    shows(admin, "The token a shop is made", "it is shown this once")
    token = admin.page.locator("#secret").input_value()
    needs(re.fullmatch(r"plt_[\w-]{12}_[\w-]{43}", token), "no token is shown")
    needs(button(admin, "Copy").is_visible() == admin.setting.scripts, "a button copies it where scripts run, and only there")
    clicks(admin, link(admin, "Back to the tokens"))
    shows(admin, "a shop")
    shows_not(admin, token)
    clicks(admin, link(admin, "Revoke the token a shop").first)
    shows(admin, "Revoke the token a shop?")
    clicks(admin, button(admin, "Revoke it"))
    shows(admin, "The token is revoked.")


def a_policy_is_planned_and_set_for_later(run):
    admin = run.enter("admin")
    admin.open(f"{OF_SERVER}/settings/policy")
    admin.page.locator("#broadcast-count").fill("4")
    admin.page.locator("#broadcast-from").fill(f"{today() + datetime.timedelta(days=400)}T08:00")
    clicks(admin, button(admin, "Show what this would change").last)
    shows(admin, "On broadcast streams", "at least 4 soft bounces", "Answers about the past stay as they were.")
    clicks(admin, button(admin, "Change it"))
    shows(admin, "The policy is set.")


def plans(visit, **typed):
    """Fills the form of a change in, here alone, and asks what would be done."""
    visit.page.get_by_label("Stream", exact=True).select_option("outbound")
    for label, text in typed.items():
        visit.page.get_by_label(label.replace("_", " "), exact=True).fill(text)
    at_postmark = visit.page.locator("[name=postmark]")
    if at_postmark.count() == 1:
        at_postmark.uncheck()
    clicks(visit, button(visit, "Show what would be done"))


REASON = {"Reason,_in_your_own_words": "she asked us on the telephone"}


def an_address_is_suppressed_and_reactivated_and_each_step_says_first_what_it_does(run):
    admin, address = run.visit("admin"), run.somebody()
    admin.open(f"{OF_SERVER}/suppressions")
    clicks(admin, link(admin, "Suppress addresses"))
    plans(admin, Addresses=f"{address}\nno address", **REASON)
    shows(admin, "Suppress this address on outbound?", address, "no address", "Postmark’s own list stays as it is")
    clicks(admin, button(admin, "Do it"))
    shows(admin, "The address is suppressed on outbound")

    def is_told(words):
        admin.open(f"{OF_SERVER}/recipients")
        admin.page.get_by_label("Address", exact=True).fill(address)
        clicks(admin, button(admin, "Look it up"))
        return words in admin.page.locator("h1").inner_text()

    until(lambda: is_told("not on outbound"), "the suppression is not recorded")
    clicks(admin, link(admin, "Reactivate it"))
    plans(admin, **REASON)
    shows(admin, "Is allowed here", "What this does not mend")
    clicks(admin, button(admin, "Do it"))
    shows(admin, "Everything was done.")
    until(lambda: is_told("nothing speaks against it"), "the reactivation is not recorded")


def a_list_is_imported_from_a_file_after_its_rows_were_counted(run):
    admin, address = run.visit("admin"), run.somebody()
    admin.open(f"{OF_SERVER}/suppressions")
    clicks(admin, link(admin, "Import a list"))
    rows = f"email,cause\n{address},unsubscribe\nnobody,unsubscribe\n"
    if admin.setting.scripts:
        file = {"name": "list.csv", "mimeType": "text/csv", "buffer": rows.encode()}
        admin.page.get_by_label("Or choose the file").set_input_files(file)
        admin.page.wait_for_function("() => document.getElementById('list').value !== ''")
    else:
        # It is a script that reads a file.
        admin.page.locator("#list").fill(rows)
    plans(admin)
    shows(admin, "Bar one address on outbound?", "Rows that cannot be used")
    clicks(admin, button(admin, "Do it"))
    shows(admin, "One address is taken in to be barred on outbound")


def what_is_recorded_of_a_person_is_exported_and_erased(run):
    admin, address = run.enter("admin"), run.somebody()
    admin.open(f"{OF_SERVER}/suppress")
    plans(admin, Addresses=address, **REASON)
    clicks(admin, button(admin, "Do it"))

    def is_found():
        admin.open(f"{OF_SERVER}/recipients")
        admin.page.get_by_label("Address", exact=True).fill(address)
        clicks(admin, button(admin, "Look it up"))
        return link(admin, "Export or erase what is recorded about this person").count() == 1

    until(is_found, "the suppression is not recorded")
    clicks(admin, link(admin, "Export or erase what is recorded about this person"))
    with admin.page.expect_download() as coming:
        button(admin, "Download the file").click()
    needs(address in open(coming.value.path(), encoding="utf-8").read(), "the file does not have the person")
    admin.page.get_by_label("Yes, erase it for good").check()
    clicks(admin, button(admin, "Erase"))
    shows(admin, "Erased", "events were stripped of everything about the person", "that stays known, without its name")
    shows_not(admin, address)


def until(holds, what):
    """Waits some seconds for what the ledger records in a moment."""
    for _ in range(40):
        if holds():
            return
        time.sleep(0.25)
    raise Failed(what)


def keys_for_smtp_that_cannot_be_tried_are_not_stored(run):
    admin = run.enter("admin")
    admin.open(f"{OF_SERVER}/settings")
    clicks(admin, link(admin, "SMTP"))
    clicks(admin, link(admin, "outbound"))
    shows(admin, "smtp.postmarkapp.com", "X-PM-Message-Stream: outbound", "No keys are stored for this stream.")
    admin.watch.allow(409)
    admin.page.get_by_label("Access key").fill("an-access-key")
    admin.page.get_by_label("Secret key").fill("a-secret-key")
    clicks(admin, button(admin, "Check and store"))
    # Nothing is sent by SMTP beside a stand-in for Postmark.
    shows(admin, "nothing answered; a firewall may block the port", "No keys are stored for this stream.")
    needs("a-secret-key" not in admin.page.content(), "the page repeats a secret key")


def adds_a_server(run, operator):
    """Adds a server that is nobody else's: its number, and that in its name."""
    number = re.search(r"\d+", run.somebody()).group()
    server = 9_100_000 + int(number)
    operator.open("/")
    clicks(operator, link(operator, "Add a server"))
    operator.page.get_by_label("Server token").fill(f"{server}-token")
    operator.page.get_by_label("What you call the server").fill(f"New shop {number}")
    clicks(operator, button(operator, "Check the token and add the server"))
    return server, number


def webhooks_are_planned_set_up_and_read_back_without_a_postmark_log_in(run):
    visit = run.enter("operator", EMPTY)
    server, _ = adds_a_server(run, visit)
    visit.open(f"/servers/{server}/webhooks")
    shows(visit, "Nobody needs to sign in to Postmark", "Set up the webhooks")
    visit.page.get_by_label("How many webhooks").select_option("one_url")
    visit.page.get_by_label("The client’s own program tracks opens and clicks").check()
    clicks(visit, button(visit, "Show what would be done"))
    shows(visit, "Set up these webhooks?", "is created", "Opens and clicks are left out")
    clicks(visit, link(visit, "Cancel"))
    shows_not(visit, "The last time they were set up here")
    visit.page.get_by_label("How many webhooks").select_option("one_url")
    clicks(visit, button(visit, "Show what would be done"))
    clicks(visit, visit.page.get_by_role("button", name=re.compile("^Do it at Postmark")))
    shows(visit, "It was carried out", "All is done", "verified")
    # What was done is not done again.
    visit.page.get_by_label("How many webhooks").select_option("one_url")
    clicks(visit, button(visit, "Show what would be done"))
    shows(visit, "Nothing has to be done at Postmark", "stays")


def a_server_is_changed_at_postmark_after_a_plan(run):
    admin = run.enter("admin", EMPTY)
    admin.open(f"{OF_SERVER}/settings")
    clicks(admin, link(admin, "The server at Postmark"))
    name = f"Shop {time.monotonic_ns()}"
    admin.page.get_by_label("Name", exact=True).fill(name)
    clicks(admin, button(admin, "Show what this would change"))
    shows(admin, "at Postmark?", name, "Postmark’s pages call the server so.")
    clicks(admin, link(admin, "Cancel"))
    shows_not(admin, name)
    admin.page.get_by_label("Name", exact=True).fill(name)
    clicks(admin, button(admin, "Show what this would change"))
    clicks(admin, button(admin, "Change it at Postmark"))
    shows(admin, "Changed: ", "Done", name)
    shows_not(admin, "NOT done")
    clicks(admin, link(admin, "Back to what Postmark keeps"))
    needs(admin.page.get_by_label("Name", exact=True).input_value() == name, "the page does not show what Postmark keeps now")
    admin.open(f"{OF_SERVER}/audit")
    shows(admin, "Changed the server at Postmark")


def a_server_is_set_up_from_nothing_until_a_test_mail_proves_that_its_reports_come_in(run):
    operator = run.enter("operator", EMPTY)
    server, number = adds_a_server(run, operator)
    shows(operator, f"Set-up of New shop {number}", "The server is added.", "1 of 4 steps are done.")
    clicks(operator, link(operator, "Set up the webhooks"))
    operator.page.get_by_label("How many webhooks").select_option("one_url")
    clicks(operator, button(operator, "Show what would be done"))
    clicks(operator, operator.page.get_by_role("button", name=re.compile("^Do it at Postmark")))
    shows(operator, "It was carried out")
    # Whoever comes back goes on where it was, from the first page.
    operator.open("/")
    clicks(operator, link(operator, f"Set up New shop {number}"))
    shows(operator, "2 of 4 steps are done.")
    clicks(operator, link(operator, "Invite somebody"))
    operator.page.get_by_label("Addresses").fill(run.somebody())
    clicks(operator, button(operator, "Invite"))
    operator.open(f"/servers/{server}")
    clicks(operator, link(operator, "Go on with the set-up of this server"))
    shows(operator, "3 of 4 steps are done.", "One person of the client may sign in.")
    operator.page.get_by_label("Stream", exact=True).select_option("outbound")
    operator.page.get_by_label("Sender").fill("shop@client.example")
    operator.page.get_by_label("Recipient", exact=True).fill(run.somebody())
    clicks(operator, button(operator, "Send it now"))
    shows(operator, "Its report has not come in yet.", "Postmark took the mail")
    needs("client.example" not in operator.page.url, "an address stands in the URL")
    if operator.setting.scripts:
        # Nobody clicks: the page looks again by itself.
        operator.page.get_by_text("Everything is set up.").wait_for(timeout=20_000)
    else:
        until(lambda: operator.page.reload() and operator.page.get_by_text("Everything is set up.").is_visible(), "it is not proven")
    shows(operator, "The webhook with the report came in here", "The report is recorded")
    clicks(operator, link(operator, "Look at the message"))
    shows(operator, "delivered")
    operator.open("/")
    shows_not(operator, f"Set up New shop {number}")


def today():
    return datetime.datetime.now(datetime.timezone.utc).date()


def no_page_of_another_server_is_reached_by_its_url(run):
    ledger = run.ledgers[HOSTILE]
    visit, operator = run.visit("admin", HOSTILE), run.visit("operator", HOSTILE)
    theirs = {"server": OTHER_SERVER, "recipient": ledger.values["their_recipient"], "message": ledger.values["their_message"]}
    paths = {page.path for page in PAGES if page.path.startswith("/servers/{server}")}
    reached = 0
    for path in sorted(paths):
        filled = re.sub(r"{(\w+)}", lambda found: str(theirs.get(found.group(1)) or ledger.value(found.group(1))), path)
        nowhere = filled.replace(str(OTHER_SERVER), "9000002")
        own, none = (ask(visit, one) for one in (filled, nowhere))
        needs(own.status == 404 and own.text() == none.text(), f"{filled} answers {own.status}, and not as a server that there is not")
        posted = visit.context.request.post(f"{visit.base}{filled}", form={"address": "x@y.example", "addresses": "x@y.example"},
                                            headers={"sec-fetch-site": "same-origin"})
        needs(posted.status == 404, f"{filled} takes a form: {posted.status}")
        # That it is there is known to those who may see it.
        reached += ask(operator, filled).status == 200
    needs(reached > len(paths) / 2, f"an operator reaches {reached} of {len(paths)} pages")
    visit.open("/")
    shows_not(visit, "Another shop", str(OTHER_SERVER))


def ask(visit, path):
    return visit.context.request.get(f"{visit.base}{path}", max_redirects=0)


def what_others_write_is_shown_as_what_it_is(run):
    ledger, visit = run.ledgers[HOSTILE], run.visit("admin", HOSTILE)
    for page in (OF_SERVER, f"{OF_SERVER}/activity", f"{OF_SERVER}/recipients/{ledger.values['recipient']}", f"{OF_SERVER}/people",
                 f"{OF_SERVER}/audit"):
        visit.open(page)
        shows(visit, "<script>" if "audit" not in page else "<svg data-pwn")
    needs(not visit.page.evaluate("document.documentElement.dataset.pwn || ''"), "what somebody else wrote was run")


def the_keyboard_reaches_everything_on_the_pages_that_have_most(run):
    ledger, visit = run.ledgers[FULL], run.visit("admin")
    for page in (OF_SERVER, f"{OF_SERVER}/recipients/{ledger.values['recipient']}", f"{OF_SERVER}/check", f"{OF_SERVER}/statistics"):
        visit.open(page)
        require(keyboard(visit.page))
    visit = run.visit(NOBODY)
    visit.open("/sign-in")
    require(keyboard(visit.page))


def a_branding_is_looked_at_before_it_is_kept_and_then_is_on_every_page(run):
    ledger, operator = run.ledgers[EMPTY], run.visit("operator", EMPTY)
    operator.open("/branding")
    operator.page.get_by_label("Name", exact=True).fill("Agency Mail")
    operator.page.get_by_label("Accent colour").fill("#ffcc00")
    operator.page.get_by_label("Support address").fill("help@agency.example")
    operator.page.get_by_label("Logo", exact=True).set_input_files({"name": "logo.gif", "mimeType": "image/gif", "buffer": LOGO})
    clicks(operator, button(operator, "Preview"))
    shows(operator, "Nothing has changed yet.", "#ffcc00", "Agency Mail")
    visit = run.visit(NOBODY, EMPTY)
    visit.open("/sign-in")
    shows_not(visit, "Agency Mail")
    try:
        clicks(operator, button(operator, "Save"))
        shows(operator, "Saved.")
        visit.open("/sign-in")
        shows(visit, "Agency Mail", "help@agency.example")
        drawn = visit.page.locator(".top .logo").evaluate("image => image.complete && image.naturalWidth")
        needs(drawn == 1, "the logo is not drawn")
        colour = visit.page.locator("main button").first.evaluate("button => getComputedStyle(button).backgroundColor")
        needs(colour == "rgb(255, 204, 0)", f"a button is {colour}")
        visit.open("/nothing/here", 401)
        shows(visit, "help@agency.example")
    finally:
        ledger.command("branding", "--clear")


def the_report_of_a_month_is_printed_without_what_is_for_the_screen(run):
    visit = run.visit("viewer")
    visit.open(f"{OF_SERVER}/statistics")
    clicks(visit, link(visit, "The report of a month, to print or send"))
    shows(visit, "mail in", "How these numbers are made")
    # In its first days a month has no mail yet.
    for month in (today().strftime("%Y-%m"), (today().replace(day=1) - datetime.timedelta(days=1)).strftime("%Y-%m")):
        visit.open(f"{OF_SERVER}/report?month={month}")
        name, rows = downloads(visit, link(visit, "Download all as CSV").first)
        if int(rows[0]["count"]):
            break
    needs(name == f"report-{SERVER}-{month}.csv" and rows[0]["what"] == "delivered", f"{name} has {rows}")
    needs(f"{int(rows[0]['count']):,} delivered" in visit.page.locator(".verdict").inner_text(), f"the file has {rows}")
    visit.page.emulate_media(media="print", color_scheme="dark")
    for part in (".account", ".tabs", ".screen", "form", "nav.server"):
        shown = [one for one in visit.page.locator(part).all() if one.is_visible()]
        needs(not shown, f"{part} is printed")
    needs(visit.page.locator(".brand").is_visible() and visit.page.locator(".verdict").is_visible(), "the report is not printed")
    ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    needs(ground == "rgb(255, 255, 255)", f"paper is {ground}")


def the_picture_of_the_readme_is_taken(run):
    ledger, visit = run.ledgers[FULL], run.visit("admin", width=PICTURE_WIDTH)
    visit.open(f"{OF_SERVER}/recipients/{ledger.values['recipient']}")
    shows(visit, BOUNCED)
    if visit.setting.scripts:
        last = visit.page.locator(".remedy").last.bounding_box()
        screenshot(visit.page, "recipient", round(last["y"] + last["height"]) + PICTURE_BELOW)


JOURNEYS = [
    an_invited_person_finds_out_why_an_address_may_not_be_mailed_and_leaves_nothing_behind,
    five_wrong_codes_spend_a_code_and_the_next_one_opens,
    a_mailed_link_opens_in_the_browser_that_asked_and_in_no_other,
    a_link_of_the_command_line_opens_once,
    who_is_removed_is_told_at_the_next_click_and_keeps_what_was_typed,
    an_address_is_looked_up_by_keyboard_alone,
    an_address_is_looked_up_by_keyboard_without_scripts,
    a_day_before_the_bounce_the_address_could_be_mailed,
    the_file_of_statistics_says_what_their_tables_say,
    webhooks_are_planned_set_up_and_read_back_without_a_postmark_log_in,
    a_server_is_set_up_from_nothing_until_a_test_mail_proves_that_its_reports_come_in,
    an_address_is_suppressed_and_reactivated_and_each_step_says_first_what_it_does,
    a_list_is_imported_from_a_file_after_its_rows_were_counted,
    what_is_recorded_of_a_person_is_exported_and_erased,
    a_token_is_shown_once_and_revoked,
    a_policy_is_planned_and_set_for_later,
    keys_for_smtp_that_cannot_be_tried_are_not_stored,
    a_server_is_changed_at_postmark_after_a_plan,
    no_page_of_another_server_is_reached_by_its_url,
    what_others_write_is_shown_as_what_it_is,
    the_keyboard_reaches_everything_on_the_pages_that_have_most,
    a_branding_is_looked_at_before_it_is_kept_and_then_is_on_every_page,
    the_report_of_a_month_is_printed_without_what_is_for_the_screen,
    the_picture_of_the_readme_is_taken,
]
