"""The parameters of the stack of alarms and dashboard, ops.yaml."""

from . import concurrency

# From so much of the account's quota on, functions that run at once are too many.
QUOTA_SHARE = 0.8


def parameters(stack, outputs, page_topic, ticket_topic, quota):
    """What ops.yaml is told of a stack; what is not known has the template's default."""
    known = {"Stack": stack, "Stage": outputs["Stage"], "ApiId": outputs["ApiId"], "PortalApiId": outputs.get("PortalApiId"),
             "PageTopicArn": page_topic, "TicketTopicArn": ticket_topic, "ConcurrencyMax": quota and max(1, int(quota * QUOTA_SHARE))}
    return {name: str(value) for name, value in known.items() if value}


def of(stack, outputs, arguments):
    return parameters(stack, outputs, arguments.page_topic, arguments.ticket_topic, concurrency.quota())
