"""What schemathesis must not do: revoke the very token that it asks with. It meets that token's id in the list of tokens and
tries it elsewhere; from then on every answer would be 401. And where it names the token of the description's example, one
that is there is meant."""

import os

import schemathesis

# `plt_`, then the id, which has twelve characters.
OWN = os.environ["POSTLEDGER_FUZZ_TOKEN"][4:16]
# Some other one: 404.
NOBODY = "____________"
# The id that the description has as its example, and a token that may be revoked in its place.
EXAMPLE = "mXw3kq0ZtT4b"
SPARE = os.environ["POSTLEDGER_FUZZ_SPARE"]


@schemathesis.hook
def before_call(context, case, kwargs):
    named = (case.path_parameters or {}).get("id")
    if named in (OWN, EXAMPLE):
        case.path_parameters["id"] = NOBODY if named == OWN else SPARE
