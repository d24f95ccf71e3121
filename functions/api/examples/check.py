"""May these addresses be mailed? Prints those that may not, with the reasons.

    POSTLEDGER_URL=https://… POSTLEDGER_TOKEN=plt_… python3 check.py SERVER STREAM ADDRESS…

Exit status 0: each of them was answered, and may be mailed.  1: at least one may not.  2: they were not answered.
"""

import json
import os
import random
import sys
import time
import urllib.error
import urllib.request

TRIES = 5


class NotAnswered(Exception):
    """Why it is not known whether they may be mailed."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Whoever leads elsewhere is not the API, and the token is not for them."""

    def redirect_request(self, *_):
        return None


def check(base, token, server, stream, addresses):
    """The answer for at most 10,000 addresses. Asking changes nothing, so it may be asked again."""
    request = urllib.request.Request(
        f"{base.rstrip('/')}/v1/servers/{server}/check",
        data=json.dumps({"stream": stream, "addresses": addresses}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(NoRedirect)
    for attempt in range(TRIES):
        last = attempt == TRIES - 1
        try:
            with opener.open(request, timeout=30) as answer:
                if answer.status != 200:
                    raise NotAnswered(f"the answer was {answer.status}")
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if last or error.code not in (429, 500, 502, 503, 504):
                raise NotAnswered(problem(error)) from error
        except (OSError, TimeoutError) as error:
            if last:
                raise NotAnswered(f"no answer: {error}") from error
        time.sleep(random.uniform(0.5, 1) * 2**attempt)


def problem(error):
    """What a refusal says; whoever stands between may have refused in other words."""
    try:
        told = json.load(error)
        return f"{told['detail']}; {told.get('next', '')}"
    except (ValueError, KeyError, TypeError, OSError):
        return f"the answer was {error.code}"


def blocked(told, stream, addresses):
    """Those that may not be mailed, with the reasons. An answer that is not about each of them is none."""
    invalid = {one["index"]: one["problem"] for one in told["invalid"]}
    results = iter(told["results"])
    if told["stream"] != stream or told["stream_known"] is not True:
        raise NotAnswered(f"nobody knows the stream {stream} at this server")
    found = []
    for index, address in enumerate(addresses):
        if index in invalid:
            found.append((address, invalid[index]))
            continue
        result = next(results)
        if result["address"] != address:
            raise NotAnswered("the answer is about others")
        # A verdict that is new is none to mail by.
        if result["verdict"] not in ("send", "risky"):
            found.append((address, "; ".join(reason["words"] for reason in result["reasons"])))
    if next(results, None) is not None:
        raise NotAnswered("the answer is about others too")
    return found


def main():
    try:
        server, stream, *addresses = sys.argv[1:]
        if not addresses:
            raise NotAnswered("there is no address to ask about")
        told = check(os.environ["POSTLEDGER_URL"], os.environ["POSTLEDGER_TOKEN"], server, stream, addresses)
        found = blocked(told, stream, addresses)
        for address, why in found:
            print(address, why, sep="\t", flush=True)
        return 1 if found else 0
    except NotAnswered as error:
        print(error, file=sys.stderr)
    except Exception as error:  # Whatever else it is: it is no leave to mail.
        print(f"not answered: {type(error).__name__}: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
