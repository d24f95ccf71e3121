"""May these addresses be mailed? Prints those that may not, with the reasons; exit status 1 if there are any.

    POSTLEDGER_URL=https://… POSTLEDGER_TOKEN=plt_… python3 check.py SERVER STREAM ADDRESS…
"""

import json
import os
import random
import sys
import time
import urllib.error
import urllib.request

TRIES = 5


def check(base, token, server, stream, addresses):
    """The answer for at most 10,000 addresses. Asking changes nothing, so it may be asked again."""
    request = urllib.request.Request(
        f"{base}/v1/servers/{server}/check",
        data=json.dumps({"stream": stream, "addresses": addresses}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    for attempt in range(TRIES):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if error.code not in (429, 500, 502, 503, 504) or attempt == TRIES - 1:
                raise SystemExit(f"{problem.get('detail')}; {problem.get('next', '')}")
        except (urllib.error.URLError, TimeoutError):
            if attempt == TRIES - 1:
                raise
        time.sleep(random.uniform(0.5, 1) * 2**attempt)


if __name__ == "__main__":
    server, stream, *addresses = sys.argv[1:]
    told = check(os.environ["POSTLEDGER_URL"], os.environ["POSTLEDGER_TOKEN"], server, stream, addresses)
    if not told["stream_known"]:
        print(f"careful: nobody has mailed on the stream {stream} yet", file=sys.stderr)
    stopped = [one for one in told["results"] if one["verdict"] == "do_not_send"]
    for one in stopped:
        print(one["address"], "; ".join(reason["words"] for reason in one["reasons"]), sep="\t")
    for one in told["invalid"]:
        print(one["address"], one["problem"], sep="\t")
    sys.exit(1 if stopped or told["invalid"] else 0)
