"""The states of a CloudFormation stack, and the way to one that can be deployed."""

import os
import time

from .console import client, code_of, refuse, say

# How long an operation that is under way is waited for, and how long a queue's name is taken after the queue is gone.
WAIT_SECONDS = 3600
QUEUE_NAME_SECONDS = 65
READY, ABSENT, WAIT, DISCARD, REVIEW, CONTINUE, REFUSE = "ready", "absent", "wait", "discard", "review", "continue", "refuse"

# What a stack's own events say where an operation begins.
BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS")

COURSES = {
    None: ABSENT,
    "DELETE_COMPLETE": ABSENT,
    # A change set was made for a stack that was not there, and never carried out: it holds nothing.
    "REVIEW_IN_PROGRESS": REVIEW,
    "CREATE_COMPLETE": READY,
    "UPDATE_COMPLETE": READY,
    "UPDATE_ROLLBACK_COMPLETE": READY,
    "IMPORT_COMPLETE": READY,
    "IMPORT_ROLLBACK_COMPLETE": READY,
    # An update that was told not to roll back: the next one may mend it.
    "UPDATE_FAILED": READY,
    # A first deployment failed. CloudFormation updates none of these; what they still hold of tables stays when they go.
    "ROLLBACK_COMPLETE": DISCARD,
    "ROLLBACK_FAILED": DISCARD,
    "DELETE_FAILED": DISCARD,
    "UPDATE_ROLLBACK_FAILED": CONTINUE,
    # Somebody told CloudFormation to keep what failed, or an import could not be taken back: that is for a person.
    "CREATE_FAILED": REFUSE,
    "IMPORT_ROLLBACK_FAILED": REFUSE,
}


def course_of(status):
    """What a deployment does about a stack in a state."""
    if status in COURSES:
        return COURSES[status]
    return WAIT if status.endswith("_IN_PROGRESS") else REFUSE


def described(name):
    """A stack as CloudFormation describes it; nothing if there is none of that name or id."""
    try:
        return client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except client("cloudformation").exceptions.ClientError as error:
        if "does not exist" not in str(error):
            raise
        return {}


def outputs_of(name):
    """What a stack tells of itself; nothing if there is none."""
    return outputs_in(described(name))


def outputs_in(stack):
    """What a described stack tells of itself."""
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def parameters_of(stack):
    """The parameters of a described stack."""
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}


def make_way(name):
    """The stack, as it can be deployed; nothing where there is none. What stands in the way is waited for, cleared away,
    or told."""
    tried = set()
    while True:
        stack = described(name)
        status = stack.get("StackStatus")
        course = course_of(status)
        if course == ABSENT:
            return {}
        if course == READY:
            return stack
        if course == WAIT:
            say(f"stack {name} is in {status}: another operation is running; waiting until it is over")
            settled(stack["StackId"])
        elif course in tried or course == REFUSE:
            refuse(f"stack {name} is in {status}: {reason_of(stack)}", remedy_of(name, status))
        else:
            tried.add(course)
            {REVIEW: discard_review, DISCARD: discard, CONTINUE: continue_rollback}[course](stack)


def remedy_of(name, status):
    """What a person does about a stack that a deployment does nothing about, or did in vain."""
    if status == "UPDATE_ROLLBACK_FAILED":
        return (f"fix what the reason names, then run this again; or leave those resources as they are: aws cloudformation "
                f"continue-update-rollback --stack-name {name} --resources-to-skip LOGICAL_ID …")
    if status in ("CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_FAILED"):
        return (f"look in its events for what blocks it, remove that, then run aws cloudformation delete-stack --stack-name {name}; its "
                f"tables and queues stay, and `make adopt` takes them over")
    return f"its events say more: aws cloudformation describe-stack-events --stack-name {name}"


def discard_review(stack):
    """Deletes a stack that only a change set stands for, unless one is being made right now."""
    cloudformation, name = client("cloudformation"), stack["StackName"]
    for change in cloudformation.list_change_sets(StackName=name)["Summaries"]:
        if change["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS") or change.get("ExecutionStatus") == "EXECUTE_IN_PROGRESS":
            refuse(f"stack {name} is being created by somebody else: change set {change['ChangeSetName']} is in {change['Status']}",
                   "ask the person who deploys; run this again when it is over")
    say(f"stack {name} is in REVIEW_IN_PROGRESS: a change set that was never executed; it is empty and is deleted")
    delete(stack)


def discard(stack):
    """Deletes a stack that can be neither used nor updated."""
    name, status = stack["StackName"], stack["StackStatus"]
    if status == "ROLLBACK_COMPLETE":
        say(f"stack {name} is in ROLLBACK_COMPLETE: its first deployment failed and was rolled back; it is empty and is deleted")
    else:
        say(f"stack {name} is in {status} ({reason_of(stack)}): what is left of it is deleted; its tables and queues stay")
    delete(stack)
    wait_for_queue_names(stack)


def delete(stack):
    client("cloudformation").delete_stack(StackName=stack["StackId"])
    settled(stack["StackId"])


def continue_rollback(stack):
    name = stack["StackName"]
    say(f"stack {name} is in UPDATE_ROLLBACK_FAILED ({reason_of(stack)}): its rollback is continued first")
    client("cloudformation").continue_update_rollback(StackName=name)
    settled(stack["StackId"])


def settled(stack_id):
    """Waits until nothing is under way; the stack as it is then."""
    pause = 0.3 if emulated() else 5
    until = time.monotonic() + WAIT_SECONDS
    while True:
        time.sleep(pause)
        stack = described(stack_id)
        status = stack.get("StackStatus")
        if status == "REVIEW_IN_PROGRESS" or course_of(status) != WAIT:
            return stack
        if time.monotonic() > until:
            refuse(f"stack {stack['StackName']} has been in {status} for an hour", remedy_of(stack["StackName"], status))


def wait_for_queue_names(stack):
    """SQS gives the name of a queue that was deleted away again after a minute only."""
    if emulated():
        return
    gone = [event["Timestamp"].timestamp()
            for page in client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack["StackId"])
            for event in page["StackEvents"]
            if (event["ResourceType"], event["ResourceStatus"]) == ("AWS::SQS::Queue", "DELETE_COMPLETE")]
    left = max(gone, default=0) + QUEUE_NAME_SECONDS - time.time()
    if left > 0:
        say(f"waiting {left:.0f} s: SQS frees the name of a deleted queue only after a minute")
        time.sleep(left)


def reason_of(stack):
    """Why a stack is as it is: the first failure of its last operation, or what it says itself."""
    try:
        pages = client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack["StackId"])
        events = [event for page in pages for event in page["StackEvents"]]
    except client("cloudformation").exceptions.ClientError as error:
        if code_of(error) not in ("AccessDenied", "ValidationError"):
            raise
        events = []
    # The latest come first, and what failed first is why the rest was cancelled.
    failed = None
    for event in events:
        of_stack = event["PhysicalResourceId"] == event["StackId"]
        if not of_stack and event["ResourceStatus"].endswith("_FAILED"):
            failed = event
        if of_stack and event["ResourceStatus"] in BEGINNINGS and failed:
            break
    if failed:
        return f"{failed['LogicalResourceId']}: {failed.get('ResourceStatusReason', failed['ResourceStatus'])}"
    return stack.get("StackStatusReason") or "it gives no reason"


def forget_failed_change_sets(name):
    """Deletes a stack's change sets that failed: an empty one is one of them, and nothing else clears them away."""
    cloudformation = client("cloudformation")
    for page in cloudformation.get_paginator("list_change_sets").paginate(StackName=name):
        for change in page["Summaries"]:
            if change["Status"] == "FAILED":
                cloudformation.delete_change_set(ChangeSetName=change["ChangeSetId"])


def protect(name):
    """Has CloudFormation refuse to delete a stack until somebody says otherwise."""
    client("cloudformation").update_termination_protection(EnableTerminationProtection=True, StackName=name)


def emulated():
    return "AWS_ENDPOINT_URL" in os.environ
