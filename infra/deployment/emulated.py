"""What an emulator needs beside the template: a bucket for packages, and what its CloudFormation leaves out."""

import os

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


def base(endpoint, outputs):
    """Where a stack's API is: it has no host name of its own there."""
    return f"{endpoint.rstrip('/')}/_aws/execute-api/{outputs['ApiId']}/%24default"


def add_what_is_left_out(outputs, endpoint):
    # CloudFormation there ignores TimeToLiveSpecification.
    dynamodb = client("dynamodb")
    for table in (outputs["EventsTable"], outputs["QuarantineTable"]):
        specification = {"AttributeName": "expires_at", "Enabled": True}
        if dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED":
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)
    # The URL that the template makes of the API's id leads nowhere.
    functions = client("lambda")
    told = functions.get_function_configuration(FunctionName=outputs["WatchFunction"])["Environment"]["Variables"]
    told["POSTLEDGER_BASE"] = base(endpoint, outputs)
    functions.update_function_configuration(FunctionName=outputs["WatchFunction"], Environment={"Variables": told})
