"""What a deployment with a portal says and asks before it changes anything: what its index costs, and whether its mail has a
token to be sent by."""

from .console import client, code_of, refuse, say

# A million write units in USD, as docs/costs.md lists them: what the index by time costs for a million events.
UNIT_PRICES = {"us-east-1": 0.625, "eu-west-1": 0.705}


def is_on(parameters):
    return parameters.get("Portal") == "true"


def token_parameter(stack):
    """Where the token of the operator's own Postmark server is."""
    return f"/postledger/{stack}/mail"


def announcement(parameters, before, region):
    """What to say before an index is switched on; nothing where it is on, or no portal is wanted. `before` are the stack's
    parameters as it is deployed now, if it is."""
    if not is_on(parameters) or is_on(before) or before.get("ByTime") == "true" or parameters.get("ByTime") == "true":
        return None
    place = region if region in UNIT_PRICES else "us-east-1"
    told = (f"the portal switches the index by time on: one more write unit for each event, about {UNIT_PRICES[place]} USD for a "
            f"million events in {place}, and each event is stored once more (docs/costs.md)")
    if before:
        told += ("\n  its list of activity is whole from this deployment on: `postledger index fill` adds the events that were recorded "
                 "before, and says first what that costs")
    return told


def prepare(stack, region, parameters, before):
    """Says what a portal costs before it is deployed; refuses one whose mail could not be sent."""
    told = announcement(parameters, before, region)
    if told:
        say(told)
    if is_on(parameters) and parameters.get("MailFrom") and not has_token(stack):
        name = token_parameter(stack)
        refuse(f"MailFrom is set, but there is no parameter {name} with the token of the Postmark server that sends; nothing was deployed",
               f"store the token, then run this again:\n  read -rs TOKEN && aws ssm put-parameter --region {region} --type SecureString "
               f"--name {name} --value \"$TOKEN\"; unset TOKEN\n  or leave MailFrom out: people then sign in by `postledger user link` only")


def has_token(stack):
    """Whether there is a token. Whoever may not look deploys all the same: the function says what it lacks when it starts."""
    ssm = client("ssm")
    try:
        ssm.get_parameter(Name=token_parameter(stack))
    except ssm.exceptions.ClientError as error:
        if code_of(error) == "ParameterNotFound":
            return False
        if code_of(error) not in ("AccessDenied", "AccessDeniedException"):
            raise
    return True
