"""Whether what was deployed works: every function is asked something that costs nothing and changes nothing.

A door, the read API and the portal are asked as API Gateway asks them, what a queue leads to gets a batch of no messages, and
what a schedule starts gets an event that only asks whether it starts. So each has been started, with its settings, its role and
its keys, before a webhook finds out. At last the APIs are asked over HTTP: what leads to the doors is there too.
"""

import base64
import json
import time
import urllib.error
import urllib.request

from .console import client, say

ATTEMPT_SECONDS = 10
HTTP_SECONDS = 60


def asked_as_gateway(path):
    """A GET as API Gateway hands it to a function (payload format 2.0)."""
    http = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "deploy.py"}
    context = {"accountId": "anonymous", "apiId": "deploy", "domainName": "deploy.invalid", "domainPrefix": "deploy", "http": http,
               "requestId": "deploy", "routeKey": "$default", "stage": "$default", "time": "01/Jan/2026:00:00:00 +0000",
               "timeEpoch": 1767225600000}
    return {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
            # A portal on this machine, an emulator's, refuses any other host.
            "headers": {"host": "localhost", "user-agent": "deploy.py"}, "requestContext": context, "isBase64Encoded": False}


def question(function):
    """What a function is asked, and whether an answer is the right one."""
    if function.startswith("ingest-"):
        return asked_as_gateway("/health"), is_ok
    if function == "api":
        return asked_as_gateway("/v1/openapi.json"), is_ok
    if function == "portal":
        return asked_as_gateway("/health"), is_ok
    if function in ("connect", "consumer", "mail"):
        return {"Records": []}, lambda answer: answer == {"batchItemFailures": []}
    return {"check": True}, lambda answer: answer == {"status": "ok"}


def is_ok(answer):
    return isinstance(answer, dict) and answer.get("statusCode") == 200


def functions_of(stack):
    """The names of a stack's functions."""
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return sorted(one["PhysicalResourceId"] for page in pages for one in page["StackResourceSummaries"]
                  if one["ResourceType"] == "AWS::Lambda::Function")


def own_url(api, region):
    """Where API Gateway itself has an API, whatever host name of the operator's leads there."""
    return f"https://{api}.execute-api.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")


def problems_of(stack, urls, domains):
    """What is wrong with the functions of a stack, and with the ways to them: its APIs' own URLs, and the operator's host names,
    each with the name that its DNS record is to lead to."""
    functions = functions_of(stack)
    problems = [f"{name}: {problem}" for name in functions if (problem := problem_of(name, name.removeprefix(f"{stack}-")))]
    if not functions:
        problems.append(f"stack {stack} has no functions")
    problems += [f"{url}/health: {unreached}" for url in urls if (unreached := unreachable(url, HTTP_SECONDS))]
    for url, target in domains:
        if unreached := unreachable(url, 0):
            # A warning alone: after the first deployment nobody can have made the record yet.
            say(f"warning: {url} does not lead to this stack: {unreached}\n  next: make its DNS record a CNAME to {target}, and "
                f"wait until it is known, before anybody is sent there")
    say(f"checked {len(functions)} functions: " + (f"{len(problems)} problems" if problems else "all answered correctly"))
    return problems


def problem_of(name, function):
    """What is wrong with a function; nothing if it answers as it should."""
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    event, is_right = question(function)
    lambda_ = client("lambda", config=Config(read_timeout=60, retries={"mode": "standard", "max_attempts": 5}))
    try:
        told = lambda_.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
    except (ClientError, BotoCoreError) as error:
        return str(error)
    try:
        answer = json.loads(told["Payload"].read() or b"null")
    except ValueError:
        answer = None
    if told.get("FunctionError"):
        return explained(answer, told.get("LogResult", ""))
    return None if is_right(answer) else f"it answered {json.dumps(answer)[:200]}"


def explained(answer, log):
    """A function's own error, and what it logged of it: an error at the start names the setting that is missing."""
    told = answer.get("errorMessage") if isinstance(answer, dict) else None
    lines = base64.b64decode(log).decode(errors="replace").splitlines()
    lines = [line.strip()[:300] for line in lines if '"ERROR"' in line]
    return "\n    ".join([told or "it failed without a message", *lines[-3:]])


def unreachable(url, seconds):
    """Why `/health` of a URL is not answered 200; nothing if it is. A new API's name takes a moment to be known everywhere."""
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=ATTEMPT_SECONDS) as answer:
                if answer.status == 200:
                    return None
                problem = f"it answered {answer.status}"
        except urllib.error.HTTPError as error:
            problem = f"it answered {error.code}"
        except OSError as error:
            problem = str(getattr(error, "reason", error))
        if time.monotonic() >= until:
            return problem
        time.sleep(2)
