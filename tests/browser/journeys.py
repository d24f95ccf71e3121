"""What people do in the portal, from the beginning to the end: each journey is a function, and its name says what holds.

A journey gets a `Run` (run.py): `run.visit(role)` opens a visit as somebody who has signed in, or as nobody; `run.link(role)`
gives a one-use link that nobody has used; `run.states` has the ids of what is in the ledger. It fails by any exception, and
by whatever a visit records (harness.Watch).
"""

from checks import axe, fits, headings, keyboard, require, titles
from harness import NOBODY


def the_page_for_signing_in_can_be_used_by_everybody(run):
    visit = run.visit(NOBODY)
    visit.open("/sign-in")
    require(axe(visit.page) + headings(visit.page) + titles(visit.page, ()) + keyboard(visit.page))
    visit.page.set_viewport_size({"width": 320, "height": 640})
    require(fits(visit.page))


JOURNEYS = [
    the_page_for_signing_in_can_be_used_by_everybody,
]
