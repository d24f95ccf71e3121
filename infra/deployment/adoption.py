"""Taking the tables and queues of a deleted stack into a new one of the same name.

CloudFormation imports by a change set of its own kind, which may do nothing else: a template of these resources alone, each
with its identifier, without outputs. (Importing while all the rest is made would be one step less, but takes only resources
whose identifier the template may set; a queue's is its URL, which SQS gives.) What is not there the ordinary deployment
makes, which comes next.

The template of the import says what is there, not what is wanted: CloudFormation believes it and changes nothing. So where
the two differ, an index or a protection say, the ordinary deployment sees the difference and makes up for it.
"""

import datetime
import json

from .console import client, code_of, refuse, say
from .stacks import described, discard_review, emulated, reason_of, settled
from .template import TABLE


def there_without_a_stack(resources):
    """Which of these tables and queues there are: how CloudFormation tells each, by logical id."""
    there = {}
    for resource in resources:
        if resource.kind == TABLE:
            identifier = {"TableName": resource.name} if table(resource.name) else None
        else:
            url = queue_url(resource.name)
            identifier = {"QueueUrl": url} if url else None
        if identifier:
            there[resource.logical_id] = identifier
    return there


def adopt(stack, resources):
    """Makes a stack of what is there of these."""
    there = there_without_a_stack(resources)
    if not there:
        refuse(f"there is no table and no queue of stack {stack} to take over", "`make deploy` makes a new stack")
    missing = [str(resource) for resource in resources if resource.logical_id not in there]
    if missing:
        say(f"no longer there, so the deployment makes them anew, empty: {', '.join(missing)}\n"
            f"  a table that was deleted by mistake can be restored under another name from the last 35 days")
    say(f"taking over {len(there)} tables and queues of stack {stack} as they are")
    present = [resource for resource in resources if resource.logical_id in there]
    body = {"Resources": {one.logical_id: as_it_is(one, there[one.logical_id]) for one in present}}
    imported(stack, body, [{"ResourceType": one.kind, "LogicalResourceId": one.logical_id,
                            "ResourceIdentifier": there[one.logical_id]} for one in present])


def imported(stack, body, resources_to_import):
    """Imports; refuses where CloudFormation does not, and leaves no change set and no empty stack behind."""
    from botocore.exceptions import ClientError, WaiterError

    cloudformation = client("cloudformation")
    name = f"adopt-{datetime.datetime.now(datetime.timezone.utc):%Y%m%dT%H%M%SZ}"
    try:
        change = cloudformation.create_change_set(StackName=stack, ChangeSetName=name, ChangeSetType="IMPORT",
                                                  TemplateBody=json.dumps(body), ResourcesToImport=resources_to_import)
        waiter = cloudformation.get_waiter("change_set_create_complete")
        waiter.wait(ChangeSetName=change["Id"], StackName=stack, WaiterConfig={"Delay": 1 if emulated() else 5, "MaxAttempts": 120})
    except (ClientError, WaiterError) as error:
        told = getattr(error, "last_response", {}).get("StatusReason") or error
        clear_away(stack, name)
        refuse(f"nothing was taken over, and nothing changed: {told}",
               "if another stack holds a table or queue, remove it from that stack first; then run `make adopt` again")
    cloudformation.execute_change_set(ChangeSetName=change["Id"])
    after = settled(change["StackId"])
    if after.get("StackStatus") != "IMPORT_COMPLETE":
        refuse(f"the import was rolled back ({after.get('StackStatus', 'the stack is gone')}): {reason_of(after)}",
               "tables and queues are as they were; fix what the reason names and run `make adopt` again")


def clear_away(stack, change):
    """Deletes a change set that failed, and the empty stack that stood for it."""
    cloudformation = client("cloudformation")
    found = described(stack)
    if not found:
        return
    try:
        cloudformation.delete_change_set(ChangeSetName=change, StackName=stack)
    except cloudformation.exceptions.ClientError as error:
        if code_of(error) not in ("ChangeSetNotFound", "ValidationError"):
            raise
    if found["StackStatus"] == "REVIEW_IN_PROGRESS":
        discard_review(found)


def as_it_is(resource, identifier):
    """A table or queue as a template's resource: each property that our template names, as it is now. One that is not
    described here is left out, so that the deployment sets it."""
    described = table_as_it_is(resource) if resource.kind == TABLE else queue_as_it_is(resource, identifier["QueueUrl"])
    properties = {name: value for name, value in described.items() if name in resource.properties or name in ALWAYS}
    return {"Type": resource.kind, "DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain",
            "Properties": properties}


# Said of a table whatever our template says: without them it would be another.
ALWAYS = ("GlobalSecondaryIndexes", "ProvisionedThroughput")
INDEX = ("IndexName", "KeySchema", "Projection")
RECOVERY = "PointInTimeRecoverySpecification"


def table_as_it_is(resource):
    dynamodb, name = client("dynamodb"), resource.name
    it = table(name)
    billing = it.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    properties = {"TableName": name, "KeySchema": it["KeySchema"], "AttributeDefinitions": it["AttributeDefinitions"],
                  "BillingMode": billing, "DeletionProtectionEnabled": it.get("DeletionProtectionEnabled", False)}
    if billing == "PROVISIONED":
        throughput = it["ProvisionedThroughput"]
        properties["ProvisionedThroughput"] = {unit: throughput[unit] for unit in ("ReadCapacityUnits", "WriteCapacityUnits")}
    if it.get("GlobalSecondaryIndexes"):
        properties["GlobalSecondaryIndexes"] = [{key: index[key] for key in INDEX} for index in it["GlobalSecondaryIndexes"]]
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if expiry["TimeToLiveStatus"] in ("ENABLED", "ENABLING"):
        properties["TimeToLiveSpecification"] = {"AttributeName": expiry["AttributeName"], "Enabled": True}
    recovery = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    told = {"PointInTimeRecoveryEnabled": recovery["PointInTimeRecoveryStatus"] == "ENABLED",
            "RecoveryPeriodInDays": recovery.get("RecoveryPeriodInDays")}
    wanted = resource.properties.get(RECOVERY, {})
    properties[RECOVERY] = {key: value for key, value in told.items() if key in wanted and value is not None}
    return properties


NUMBERS = ("VisibilityTimeout", "MessageRetentionPeriod", "MaximumMessageSize", "DelaySeconds")


def queue_as_it_is(resource, url):
    told = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    properties = {"QueueName": resource.name}
    properties.update({name: int(told[name]) for name in NUMBERS if name in told})
    if "SqsManagedSseEnabled" in told:
        properties["SqsManagedSseEnabled"] = told["SqsManagedSseEnabled"] == "true"
    properties.update({name: json.loads(told[name]) for name in ("RedrivePolicy", "RedriveAllowPolicy") if told.get(name)})
    return properties


def table(name):
    """A table as DynamoDB describes it; nothing if there is none."""
    dynamodb = client("dynamodb")
    try:
        return dynamodb.describe_table(TableName=name)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        return None


def queue_url(name):
    """A queue's URL; nothing if there is no queue of that name."""
    sqs = client("sqs")
    try:
        return sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.ClientError as error:
        if "NonExistentQueue" not in code_of(error) and "QueueDoesNotExist" not in code_of(error):
            raise
        return None
