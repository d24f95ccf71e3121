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
        self.is_off = False
        self.command = [arguments.postledger, "--stack", stack, *home, "index", "note", "--region", region, *endpoint]

    def off(self):
        """Before it is switched on or off."""
        self.is_off = True
        if not self.took("--off"):
            refuse("it could not be noted that the index by time is switched; it says why above; nothing was deployed",
                   "see to that, then run this again: otherwise the list of activity might say that it is whole where it is not")

    def on(self, is_new, is_taken_over=False):
        """It is on; from the stack's first event on, where the stack is new. Where its tables were taken over, what is noted in them
        is of an earlier stack's time."""
        notes = [["--off"], []] if is_taken_over else [["--new"]] if is_new else [[]]
        if not all(self.took(*words) for words in notes):
            say("warning: it could not be noted from when on the list of activity is whole; it says why above. Until then it may say that "
                "it is whole where it is not\n  next: " + ", then ".join(self.told(*words) for words in notes))

    def left(self):
        """What is to be done about the index where nothing was deployed; nothing, where nothing was noted."""
        return (f"\n  but its index by time is noted as being switched, so that its list of activity counts as whole from now on only; "
                f"`{self.told()}` notes that it is on, if it is") if self.is_off else ""

    def told(self, *words):
        return " ".join(str(part) for part in (*self.command, *words))

    def took(self, *words):
        return subprocess.run([str(part) for part in (*self.command, *words)], stdout=subprocess.DEVNULL).returncode == 0
