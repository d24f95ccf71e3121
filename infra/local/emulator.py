"""Starts the local AWS (ministack) that the adapter tests, the commands and a curious reader talk to.

    python emulator.py [--port N] [--enforce-iam] [--until-stdin-closes]

Prints one line on standard output, `http://127.0.0.1:PORT`, once DynamoDB and SQS really answer there, and nothing else;
warnings go to standard error. Every start is empty: nothing is kept from one run to the next.

Traps that it handles, and why:

- It must not outlive its test. A test that panics or is killed with SIGKILL cannot stop a child, but the kernel closes its
  end of a pipe: with --until-stdin-closes the end of standard input is the end of the emulator.
- Two at once must not meet. The port is bound and listened on here, before anything else happens, so there is no moment
  at which another process may take it; no pid file is written, and state and unpacked functions go to a folder of its own.
- It must not be reached from outside or reach out. All listeners are on loopback; the MQTT listener, which ignores
  BIND_HOST (0.0.0.0:8883), is off, as is the SFTP one. The environment is made anew: what a developer has set for the
  real AWS (keys, profile, endpoint, proxy) or for Docker reaches neither the emulator nor the functions that it starts.
- 40 ms of every Lambda invocation would be Nagle's algorithm against delayed acknowledgements in the emulator's Runtime
  API, which writes a header and a body apart. Buffering each answer and switching Nagle off removes it.
- A policy that refuses what did not come over TLS would refuse everything: there is none on loopback. Requests are taken
  for forwarded by what ended TLS, unless they say otherwise.
- A connection would be closed after 1,000 requests or 75 idle seconds, which a client may take for a fault. Here: never.
- CloudFormation would write over a table, queue or log group of a name that is taken, and delete a table that is protected.
  Here both fail, as on AWS: what a deployment does about it is to be seen. (Imports, and what RetainExceptOnCreate keeps,
  it does as AWS does.) A parameter that is a number it hands on as text, which the poller of queues cannot compare.
- An API has a name under `localhost`, which browsers find and the resolver of a system need not: a function that asks an API
  is told the same by a path.
- A query evaluates its key condition for every item of the partition and parses the text each time. Both parsers are
  pure functions of that text, so their answers are remembered.
"""

import argparse
import asyncio
import functools
import http.client
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import socketserver
import sys
import tempfile
import threading

HOST = "127.0.0.1"
START_SECONDS = 30
FORWARDED = (b"x-forwarded-proto", b"https")
# How a template names an API by its id.
API_BY_NAME = re.compile(r"https?://([^./]+)\.execute-api\.[^/]+")
# All that is taken over from the environment; the rest could lead to a real account or another engine.
KEPT = ("HOME", "LANG", "LC_ALL", "LLVM_PROFILE_FILE", "PATH", "RUST_BACKTRACE", "RUST_LOG")
# Asked before the address is printed: operation, and the service in the credential's scope. The first call loads it.
PROBES = (("DynamoDB_20120810.ListTables", "dynamodb"), ("AmazonSQS.ListQueues", "sqs"))


def main():
    arguments = parse_arguments()
    if importlib.util.find_spec("ministack") is None:
        refuse(f"ministack is not installed for {sys.executable}: run `make aws`, then start this with its Python")
    standard_input = take_standard_input() if arguments.until_stdin_closes else None
    listener = listen(arguments.port)
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    folder = tempfile.mkdtemp(prefix="postledger-aws-")
    end = functools.partial(stop, folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end(0))
    if standard_input is not None:
        in_background(wait_for_end_of_input, standard_input, end)
    standard_output = take_standard_output()
    set_environment(url, folder, arguments.enforce_iam)
    try:
        application = load_application()
        in_background(announce, url, standard_output, end)
        asyncio.run(serve(application, listener))
    except Exception as error:  # whatever it was, the children and the folder have to go
        print(f"emulator.py: the emulator stopped: {error!r}", file=sys.stderr)
    end(1)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Starts a local AWS on loopback and prints its address.")
    parser.add_argument("--port", type=port, default=0, help="0 (the default) takes any free one")
    parser.add_argument("--enforce-iam", action="store_true", help="functions may do what their roles allow, and no more")
    parser.add_argument("--until-stdin-closes", action="store_true", help="exit when standard input ends")
    return parser.parse_args()


def port(text):
    number = int(text)
    if not 0 <= number <= 65535:
        raise ValueError
    return number


def listen(number):
    listener = socket.socket()
    if number:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, number))
        listener.listen(1024)
    except OSError as error:
        refuse(f"port {number} of {HOST} is not available ({error.strerror}): name another, or --port 0 for a free one")
    return listener


def refuse(why):
    print(f"emulator.py: {why}", file=sys.stderr)
    raise SystemExit(1)


def take_standard_input():
    """Standard input for this file alone: a function that is started later could read from it otherwise."""
    if sys.stdin is None:
        refuse("standard input is closed already: give it a pipe, and keep the other end open")
    own = os.dup(0)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    return own


def take_standard_output():
    """Standard output for the address alone: whatever else is printed goes to standard error."""
    own = os.dup(1)
    os.dup2(2, 1)
    return own


def wait_for_end_of_input(descriptor, end):
    while os.read(descriptor, 4096):
        pass
    end(0)


def set_environment(url, folder, enforce_iam):
    """Makes the environment anew; ministack reads most of it while it is imported."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(kept)
    os.environ.update(
        GATEWAY_PORT=url.rpartition(":")[2],
        BIND_HOST=HOST,
        LOG_LEVEL="WARNING",
        AUTH=str(enforce_iam).lower(),
        # The functions inherit these: they must find this emulator and nothing else.
        AWS_ENDPOINT_URL=url,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        SFTP_HOST=HOST,
        DOCKER_HOST=f"unix://{folder}/no-docker-here",
        TMPDIR=folder,
        STATE_DIR=os.path.join(folder, "state"),
        S3_DATA_DIR=os.path.join(folder, "s3"),
    )
    tempfile.tempdir = folder


def load_application():
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    socketserver.StreamRequestHandler.wbufsize = -1
    from ministack.app import app
    from ministack.services import dynamodb

    hold_cloudformation_to_its_rules()
    # The functions inherit the environment, and this one is not theirs.
    del os.environ["LOG_LEVEL"]
    remember = functools.lru_cache(maxsize=1024)
    tokens_of = remember(dynamodb._tokenize)
    dynamodb._tokenize = lambda text: list(tokens_of(text))
    dynamodb._condition_syntax_error = remember(dynamodb._condition_syntax_error)

    async def behind_tls(scope, receive, send):
        if scope["type"] == "http" and all(name != FORWARDED[0] for name, _ in scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], FORWARDED]}
        await app(scope, receive, send)

    return behind_tls


def hold_cloudformation_to_its_rules():
    from ministack.services import cloudwatch_logs, dynamodb, sqs
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS as handlers

    def refuse_taken(kind, property_of_name, taken):
        create = handlers[kind]["create"]

        def created(logical_id, properties, stack):
            name = properties.get(property_of_name)
            if name and taken(name):
                raise ValueError(f"{name} already exists")
            return create(logical_id, properties, stack)

        handlers[kind]["create"] = created

    def delete_unless_protected(name, properties):
        if dynamodb._tables.get(name, {}).get("DeletionProtectionEnabled"):
            raise ValueError(f"Resource cannot be deleted as it is currently protected against deletion: table {name}")
        delete_table(name, properties)

    def with_numbers(handler):
        @functools.wraps(handler)
        def called(*arguments, **named):
            for properties in arguments:
                if isinstance(properties, dict) and "MaximumConcurrency" in properties.get("ScalingConfig", {}):
                    scaling = properties["ScalingConfig"]
                    scaling["MaximumConcurrency"] = int(scaling["MaximumConcurrency"])
            return handler(*arguments, **named)

        return called

    here = f"http://{HOST}:{os.environ['GATEWAY_PORT']}"

    def with_apis_by_path(handler):
        """Browsers find an API by its name under `localhost`; a resolver of a system need not."""
        @functools.wraps(handler)
        def called(*arguments, **named):
            for properties in arguments:
                if isinstance(properties, dict):
                    variables = properties.get("Environment", {}).get("Variables", {})
                    for name, value in variables.items():
                        if name == "POSTLEDGER_API_URL":
                            variables[name] = API_BY_NAME.sub(rf"{here}/_aws/execute-api/\1/%24default", value)
            return handler(*arguments, **named)

        return called

    refuse_taken("AWS::DynamoDB::Table", "TableName", lambda name: name in dynamodb._tables)
    refuse_taken("AWS::SQS::Queue", "QueueName", lambda name: name in sqs._queue_name_to_url)
    # A function's group the emulator makes by itself, if a last line comes after the stack is gone.
    refuse_taken("AWS::Logs::LogGroup", "LogGroupName",
                 lambda name: name in cloudwatch_logs._log_groups and not name.startswith("/aws/lambda/"))
    for way in ("create", "update"):
        handlers["AWS::Lambda::EventSourceMapping"][way] = with_numbers(handlers["AWS::Lambda::EventSourceMapping"][way])
        handlers["AWS::Lambda::Function"][way] = with_apis_by_path(handlers["AWS::Lambda::Function"][way])
    delete_table = handlers["AWS::DynamoDB::Table"]["delete"]
    handlers["AWS::DynamoDB::Table"]["delete"] = delete_unless_protected


async def serve(application, listener):
    from hypercorn.asyncio import serve as run
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = 1024
    config.loglevel = "WARNING"
    config.keep_alive_timeout = 86_400
    config.keep_alive_max_requests = sys.maxsize
    # Never set: the two ways to end, a signal and the end of standard input, need no farewell as nothing is kept.
    await run(application, config, shutdown_trigger=asyncio.Event().wait)


def announce(url, standard_output, end):
    try:
        connection = http.client.HTTPConnection(url.rpartition("/")[2], timeout=START_SECONDS)
        for operation, service in PROBES:
            headers = {
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": operation,
                "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/{service}/aws4_request, "
                "SignedHeaders=host, Signature=0",
            }
            connection.request("POST", "/", json.dumps({}), headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise RuntimeError(f"{operation} was answered with {answer.status}: {answer.read()!r}")
            answer.read()
        connection.close()
        os.write(standard_output, f"{url}\n".encode())
    except Exception as error:
        print(f"emulator.py: the emulator does not answer: {error!r}", file=sys.stderr)
        end(1)


def stop(folder, code):
    """Ends this process at once, with the functions that it runs and the folder that it uses."""
    for child in children():
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(code)


def children():
    """Process ids, as Linux tells them. Elsewhere functions end by themselves when their Runtime API is gone."""
    found = []
    try:
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/children") as listed:
                found += map(int, listed.read().split())
    except OSError:
        pass
    return found


def in_background(function, *arguments):
    threading.Thread(target=function, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main()
