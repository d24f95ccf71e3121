"""How many consumers and pages of the portal may run at once beside the doors.

Lambda has one quota for all functions of an account in a region: 1,000 as a rule, but 10 or 50 in many a young account.
Consumers that take all of it leave none for the doors, and a webhook that finds no door has few tries. So the consumers
together get a third of what no function has reserved; the other two thirds are for the doors, the read API and what else
the account runs. Lambda takes no less than two for a queue.

The portal gets a tenth. Where that much can be reserved, it is: then its function never runs more often at once. Lambda
reserves nothing where less than a hundred would be left, so in a small account API Gateway alone bounds the portal: it takes
as many requests at once, and a second. A page takes about a tenth of a second. The function that mails its people is a
consumer of two.
"""

from .console import client, code_of, say

# What the template has where there is room, in the order in which it is given.
WANTED = {"CriticalConcurrency": 10, "BulkConcurrency": 10, "QuarantineConcurrency": 2}
LEAST = 2
SHARE = 3
# What the portal gets at most, of what share, and what Lambda leaves unreserved.
PORTAL_MOST, PORTAL_SHARE, UNRESERVED_LEAST = 20, 10, 100
# How many requests the portal takes at once and a second: where its function is bounded, and at least where it is not. A page
# is one, and its style and script two more at the first visit.
PORTAL_REQUESTS, PORTAL_REQUESTS_LEAST = 50, 3
MAIL = 2


def fitted(unreserved):
    """How many consumers of each queue at once, where so many executions are not reserved."""
    left = max(unreserved // SHARE - WANTED["QuarantineConcurrency"], 0)
    critical, bulk = (left + 1) // 2, left // 2
    return {"CriticalConcurrency": min(max(critical, LEAST), WANTED["CriticalConcurrency"]),
            "BulkConcurrency": min(max(bulk, LEAST), WANTED["BulkConcurrency"]),
            "QuarantineConcurrency": WANTED["QuarantineConcurrency"]}


def of_portal(unreserved, reserved):
    """What the portal gets, where so many executions are not reserved, and so many for the portal already."""
    room = unreserved + reserved
    share = min(room // PORTAL_SHARE, PORTAL_MOST)
    if room - share >= UNRESERVED_LEAST:
        return {"PortalConcurrency": share, "PortalRequests": PORTAL_REQUESTS}
    return {"PortalConcurrency": 0, "PortalRequests": max(share, PORTAL_REQUESTS_LEAST)}


def advice(unreserved, parameters):
    """What to say of a quota and what is deployed; nothing where there is room."""
    consumers = sum(int(parameters[name]) for name in WANTED)
    portal = 0
    if "PortalRequests" in parameters and int(parameters["PortalConcurrency"]) == 0:
        portal = int(parameters["PortalRequests"]) + MAIL
    taken = consumers + portal
    if consumers * SHARE <= unreserved and (not portal or taken * 2 <= unreserved):
        return None
    room = f"this account runs {unreserved} functions at once in this region, and {consumers} of them may be consumers"
    room += f", {portal} the portal's: " if portal else ": "
    room += f"{unreserved - taken} are left for doors and read API" if taken < unreserved else "under load, none is left for the doors"
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


def parameters(given, before):
    """The template's parameters for this account's quota, where a stack was deployed with some before. What was given stays as
    it was given."""
    unreserved = limits().get("UnreservedConcurrentExecutions")
    if unreserved is None:
        say("warning: you may not read this account's quota of Lambda (lambda:GetAccountSettings); the number of consumers is "
            "the template's default")
        return {}
    fitting = fitted(unreserved)
    if given.get("Portal") == "true":
        fitting.update(of_portal(unreserved, int(before.get("PortalConcurrency") or 0)))
    chosen = {name: given.get(name, str(number)) for name, number in fitting.items()}
    lowered = [f"{name} {chosen[name]} instead of {WANTED[name]}" for name in WANTED
               if name not in given and int(chosen[name]) < WANTED[name]]
    if lowered:
        say(f"fewer consumers at once, to leave enough for the doors: {', '.join(lowered)}")
    told = advice(unreserved, chosen)
    if told:
        say(f"warning: {told}")
    return chosen
