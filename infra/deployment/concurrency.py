"""How many consumers may run at once beside the doors.

Lambda has one quota for all functions of an account in a region: 1,000 as a rule, but 10 or 50 in many a young account.
Consumers that take all of it leave none for the doors, and a webhook that finds no door has few tries. So the consumers
together get a third of what no function has reserved; the other two thirds are for the doors, the read API and what else
the account runs. Lambda takes no less than two for a queue.
"""

from .console import client, code_of, say

# What the template has where there is room, in the order in which it is given.
WANTED = {"CriticalConcurrency": 10, "BulkConcurrency": 10, "QuarantineConcurrency": 2}
LEAST = 2
SHARE = 3


def fitted(unreserved):
    """How many consumers of each queue at once, where so many executions are not reserved."""
    left = max(unreserved // SHARE - WANTED["QuarantineConcurrency"], 0)
    critical, bulk = (left + 1) // 2, left // 2
    return {"CriticalConcurrency": min(max(critical, LEAST), WANTED["CriticalConcurrency"]),
            "BulkConcurrency": min(max(bulk, LEAST), WANTED["BulkConcurrency"]),
            "QuarantineConcurrency": WANTED["QuarantineConcurrency"]}


def advice(unreserved, parameters):
    """What to say of a quota and the consumers that are deployed; nothing where there is room."""
    consumers = sum(int(parameters[name]) for name in WANTED)
    if consumers * SHARE <= unreserved:
        return None
    room = f"this account runs {unreserved} functions at once in this region, and {consumers} of them may be consumers: "
    room += (f"{unreserved - consumers} are left for doors and read API" if consumers < unreserved
             else "under load, none is left for the doors")
    return (f"{room}\n  next: ask AWS to raise it, which costs nothing: Service Quotas, AWS Lambda, Concurrent executions; "
            f"then deploy again")


def limits():
    """The account's limits of Lambda in this region; nothing where whoever deploys may not read them."""
    lambda_ = client("lambda")
    try:
        return lambda_.get_account_settings()["AccountLimit"]
    except lambda_.exceptions.ClientError as error:
        if code_of(error) not in ("AccessDenied", "AccessDeniedException"):
            raise
        return {}


def quota():
    """How many functions the account may run at once; nothing where that is not known."""
    return limits().get("ConcurrentExecutions")


def parameters(given):
    """The template's parameters for this account's quota. What was given stays as it was given."""
    unreserved = limits().get("UnreservedConcurrentExecutions")
    if unreserved is None:
        say("warning: you may not read this account's quota of Lambda (lambda:GetAccountSettings); the number of consumers is "
            "the template's default")
        return {}
    chosen = {name: given.get(name, str(number)) for name, number in fitted(unreserved).items()}
    lowered = [f"{name} {chosen[name]} instead of {WANTED[name]}" for name in WANTED
               if name not in given and int(chosen[name]) < WANTED[name]]
    if lowered:
        say(f"fewer consumers at once, to leave enough for the doors: {', '.join(lowered)}")
    told = advice(unreserved, chosen)
    if told:
        say(f"warning: {told}")
    return chosen
