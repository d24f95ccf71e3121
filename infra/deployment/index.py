"""What a deployment notes of the index by time: `postledger` keeps in the registry from when on it is whole.

Whenever the index is switched, nothing of it counts as whole until the deployment has come to its end: a deployment that fails
half-way may have run functions that write without it.
"""

import subprocess

from .console import refuse, say


def is_wanted(parameters):
    return "true" in (parameters.get("ByTime"), parameters.get("Portal"))


def is_switched(before, parameters):
    """Whether a deployment switches the index of a stack that is there: it has these outputs, and gets these parameters."""
    return bool(before) and is_wanted(parameters) != (before.get("ByTime") == "true")


class Notes:
    """What `postledger` notes of a stack's index."""

    def __init__(self, stack, region, arguments):
        home = ["--home", arguments.home] if arguments.home else []
        endpoint = ["--endpoint", arguments.endpoint] if arguments.endpoint else []
        self.command = [arguments.postledger, "--stack", stack, *home, "index", "note", "--region", region, *endpoint]

    def off(self):
        """Before it is switched on or off."""
        if not self.took("--off"):
            refuse("it could not be noted that the index by time is switched; it says why above; nothing was deployed",
                   "see to that, then run this again: otherwise the list of activity might say that it is whole where it is not")

    def on(self, is_new):
        """It is on; from the stack's first event on, where the stack is new."""
        if not self.took(*(["--new"] if is_new else [])):
            # Nothing is wrong until then: nothing counts as whole.
            say("warning: it could not be noted from when on the list of activity is whole; it says why above\n  next: "
                + " ".join(str(part) for part in self.command))

    def took(self, *words):
        return subprocess.run([str(part) for part in (*self.command, *words)], stdout=subprocess.DEVNULL).returncode == 0
