"""How many webhooks a second come through the emulator, beside a bare function on it: `make throughput`, while `make local`
is up. It tells what the emulator allows for, not what AWS does.
"""

import argparse
import base64
import concurrent.futures
import http.client
import io
import json
import os
import pathlib
import subprocess
import time
import urllib.parse
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = pathlib.Path(os.environ.get("POSTLEDGER_HOME") or pathlib.Path.home() / ".postledger")
SERVER = "8123456"


def main():
    parser = argparse.ArgumentParser(description="Requests a second through the emulator, beside a bare function.")
    parser.add_argument("--requests", type=int, default=1_000, help="how many in each round [default: 1000]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    try:
        local = json.loads((HOME / "local.json").read_text())
    except FileNotFoundError:
        raise SystemExit("no local AWS is up: start one by `make local`, then do this again")
    places = {"a bare function": bare(local), "ingest-delivery": door()}
    rows = [{"function": name, "at once": at_once, "requests a second": round(rate(url, headers, at_once, arguments.requests))}
            for at_once in (1, 8) for name, (url, headers) in places.items()]
    for row in rows if not arguments.json else [rows]:
        print(json.dumps(row) if arguments.json else "{function:16} {at once} at once: {requests a second} a second".format_map(row))


def door():
    """The door of deliveries, and what opens it."""
    command = [ROOT / "target/release/postledger", "url", "--local", "--json", "--server", SERVER, "--type", "delivery"]
    webhook = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)[0]
    credential = base64.b64encode(f"{webhook['user']}:{webhook['password']}".encode()).decode()
    return webhook["url"], {"authorization": f"Basic {credential}"}


def bare(local):
    """lambda_http's hello world behind an API of its own."""
    import boto3

    reach = dict(endpoint_url=local["endpoint"], region_name=local["region"],
                 aws_access_key_id="test", aws_secret_access_key="test")
    functions, apis = boto3.client("lambda", **reach), boto3.client("apigatewayv2", **reach)
    roles = boto3.client("iam", **reach)
    name = f"bare-{time.time_ns()}"
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = roles.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        archive.writestr(bootstrap, (ROOT / "target/peers/release/hello").read_bytes())
    function = functions.create_function(FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role,
                                         Code={"ZipFile": package.getvalue()})["FunctionArn"]
    functions.add_permission(FunctionName=name, StatementId="api", Action="lambda:InvokeFunction",
                             Principal="apigateway.amazonaws.com")
    api = apis.create_api(Name=name, ProtocolType="HTTP")["ApiId"]
    integration = apis.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function,
                                          PayloadFormatVersion="2.0")["IntegrationId"]
    apis.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")
    apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return f"{local['endpoint']}/_aws/execute-api/{api}/%24default/", {}


def rate(url, headers, at_once, requests):
    """Requests a second, each a new delivery; whoever is refused ends it."""
    place = urllib.parse.urlsplit(url)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def ask(worker):
        connection = http.client.HTTPConnection(place.netloc)
        for number in range(requests // at_once):
            body = json.dumps({"RecordType": "Delivery", "MessageID": f"{now}-{at_once}-{worker}-{number}",
                               "Recipient": "measured@customer.example", "DeliveredAt": now})
            connection.request("POST", place.path, body, {"content-type": "application/json", **headers})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"{url.split('?')[0]} answered {answer.status}")

    ask(0)  # The function has started.
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        list(pool.map(ask, range(at_once)))
    return requests / (time.monotonic() - start)


if __name__ == "__main__":
    main()
