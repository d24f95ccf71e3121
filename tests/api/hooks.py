"""What schemathesis must not do: revoke the very token that it asks with. It meets that token's id in the list of tokens and
tries it elsewhere; from then on every answer would be 401. And where it names the token of the description's example, one
that is there is meant; so it is with users, and with what was set aside."""

import os

import schemathesis

# `plt_`, then the id, which has twelve characters.
OWN = os.environ["POSTLEDGER_FUZZ_TOKEN"][4:16]
# Some other one: 404.
NOBODY = "____________"
# The id that the description has as its example, and a token that may be revoked in its place.
EXAMPLE = "mXw3kq0ZtT4b"
SPARE = os.environ["POSTLEDGER_FUZZ_SPARE"]
# The id of a user that the description has as its example, and two in its place: who is removed, and who stays.
EXAMPLE_USER = "kZxV0n3qT5uYwB7cD9eFgA"
GOES, STAYS = os.environ["POSTLEDGER_FUZZ_USERS"].split(",")

# The key of the description's example, and what is there in its place.
EXAMPLE_KEY = "0001795867200000000.aGVsbG8"
ASIDE = os.environ["POSTLEDGER_FUZZ_ASIDE"]


@schemathesis.hook
def before_call(context, case, kwargs):
    named = (case.path_parameters or {}).get("id")
    if named in (OWN, EXAMPLE):
        case.path_parameters["id"] = NOBODY if named == OWN else SPARE
    if named == EXAMPLE_USER:
        removes = case.method == "DELETE" and not case.path.endswith("/sessions")
        case.path_parameters["id"] = GOES if removes else STAYS
    if (case.path_parameters or {}).get("key") == EXAMPLE_KEY:
        case.path_parameters["key"] = ASIDE
