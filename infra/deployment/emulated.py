"""What an emulator needs beside the template: a bucket for packages, and what its CloudFormation leaves out."""

import os
import urllib.parse

from .console import client

# What an emulator takes as an operator's credentials.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def use(endpoint):
    """Has every call go there from here on, with nothing of an operator's own access."""
    for mine in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(mine, None)
    os.environ.update(CREDENTIALS, AWS_ENDPOINT_URL=endpoint)


def make_bucket(name, region):
    s3 = client("s3")
    try:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    except s3.exceptions.BucketAlreadyOwnedByYou:
        pass


def base(endpoint, api):
    """Where an API is, for whoever finds no host of its own."""
    return f"{endpoint.rstrip('/')}/_aws/execute-api/{api}/%24default"


def portal_url(endpoint, api):
    """Where a portal is: at a host of its own, which browsers find on this machine, since its pages link to each other by paths."""
    port = urllib.parse.urlsplit(endpoint).port
    return f"http://{api}.execute-api.localhost" + (f":{port}" if port else "")


def add_what_is_left_out(stack, outputs, endpoint):
    # CloudFormation there ignores TimeToLiveSpecification.
    dynamodb = client("dynamodb")
    for table in (outputs["EventsTable"], outputs["QuarantineTable"]):
        specification = {"AttributeName": "expires_at", "Enabled": True}
        if dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED":
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)
    # The URLs that the template makes of APIs' ids lead nowhere.
    led = ["watch", "api"]
    if "PortalApiId" in outputs:
        for function in ("api", "portal"):
            tell(f"{stack}-{function}", "POSTLEDGER_PORTAL_URL", portal_url(endpoint, outputs["PortalApiId"]))
        led.append("portal")
    if "ConnectQueueUrl" in outputs:
        led.append("connect")
    for function in led:
        tell(f"{stack}-{function}", "POSTLEDGER_BASE", base(endpoint, outputs["ApiId"]))


def tell(function, variable, value):
    """Sets a variable of a function."""
    functions = client("lambda")
    told = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=function, Environment={"Variables": {**told, variable: value}})
