"""The template's parameters: those of samconfig.toml, keys, operators, the quota's, and those that are given."""

import json

from . import concurrency
from .console import client, refuse, run
from .stacks import parameters_of

KEYS = "PublicKeys"
LEDGER_KEY = "LedgerKeyParameter"


def pairs(texts):
    return dict(text.split("=", 1) for text in texts)


def chosen(config, given):
    """What the file says and whoever deploys."""
    return {**pairs(config["deploy"]["parameters"].get("parameter_overrides", [])), **given}


def all_of(config, given, stack, now, keys):
    """Every parameter of a deployment of a stack, which is described as it is now, or not there."""
    parameters = chosen(config, given)
    if KEYS in parameters and LEDGER_KEY in parameters_of(now):
        # Deployed where the key is not: what the stack has is what it goes on with.
        parameters.setdefault(LEDGER_KEY, parameters_of(now)[LEDGER_KEY])
    if not {KEYS, LEDGER_KEY} <= parameters.keys():
        if KEYS not in parameters:
            keys.check(keys.here())
        parameters = {**keys.prepare(), **parameters}
    keys.check(parameters[KEYS])
    if "Operators" not in parameters:
        parameters["Operators"] = operators(now, keys.endpoint is not None)
    return {**parameters, **concurrency.parameters(parameters, parameters_of(now))}


class Keys:
    """The operator's keys, as `postledger` keeps them, and what the stack's doors know."""

    def __init__(self, stack, region, known, arguments):
        self.stack, self.known, self.endpoint = stack, known, arguments.endpoint
        home = ["--home", arguments.home] if arguments.home else []
        self.command = [arguments.postledger, "--stack", stack, *home, "--json", "keys"]
        self.where = ["--region", region, *(["--endpoint", arguments.endpoint] if arguments.endpoint else [])]

    def here(self):
        """The public keys whose private halves are here."""
        return ",".join(one["public_key"] for one in json.loads(run([*self.command, "list"], capture_output=True)))

    def prepare(self):
        """Makes those that are not there yet. `postledger` refuses by itself where the stack's doors know others."""
        return json.loads(run([*self.command, "prepare", *self.where], capture_output=True))

    def check(self, public):
        """Refuses what would lock out every webhook: keys of which the deployed doors know none."""
        if self.known and not {*self.known.split(",")} & {*public.split(",")}:
            here = "the keys here are different ones" if public else "there is no key here"
            refuse(f"stack {self.stack} verifies passwords with {self.known}, but {here}: every webhook would be put off; nothing "
                   f"was deployed and no key was created",
                   f"deploy where the key is, or name its folder with --home; to deploy without it, put {KEYS}={self.known} into "
                   f"the environment's parameter_overrides")


def operators(now, emulated):
    """Whose commands the consumer believes: those that it believed before, and whoever deploys."""
    identity = client("sts").get_caller_identity()
    # An emulator's queues tell the account of whoever sends; AWS's tell the unique id of a role or user.
    mine = identity["Account"] if emulated else identity["UserId"].split(":")[0]
    before = [one for one in parameters_of(now).get("Operators", "").split(",") if one]
    return ",".join(dict.fromkeys([*before, mine]))
