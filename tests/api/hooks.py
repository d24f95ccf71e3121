"""What schemathesis must not do: revoke the very token that it asks with. It meets that token's id in the list of tokens and
tries it elsewhere; from then on every answer would be 401."""

import os

import schemathesis

# `plt_`, then the id, which has twelve characters.
OWN = os.environ["POSTLEDGER_FUZZ_TOKEN"][4:16]
# Some other one: 404.
NOBODY = "____________"


@schemathesis.hook
def before_call(context, case, kwargs):
    if (case.path_parameters or {}).get("id") == OWN:
        case.path_parameters["id"] = NOBODY
