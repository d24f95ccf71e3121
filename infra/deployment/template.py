"""What the template says: parameters, and what outlives the stack."""

from dataclasses import dataclass

TABLE, QUEUE = "AWS::DynamoDB::Table", "AWS::SQS::Queue"
RETAINING = ("Retain", "RetainExceptOnCreate")


@dataclass(frozen=True)
class Retained:
    """A table or queue that outlives its stack."""

    logical_id: str
    kind: str
    name: str
    properties: dict

    def __str__(self):
        return f"{'table' if self.kind == TABLE else 'queue'} {self.name}"


def parse(text):
    """A template as plain values: short tags are long."""
    from samcli.yamlhelper import yaml_parse

    return yaml_parse(text)


def retained(template, stack):
    """What of a parsed template outlives a stack of a name."""
    found = []
    for logical_id, resource in template["Resources"].items():
        if resource.get("DeletionPolicy") in RETAINING:
            properties = resource["Properties"]
            name = properties["TableName" if resource["Type"] == TABLE else "QueueName"]
            name = name["Fn::Sub"].replace("${AWS::StackName}", stack) if isinstance(name, dict) else name
            found.append(Retained(logical_id, resource["Type"], name, properties))
    return found


def packages(template):
    """Where each function's package is: bucket and key by logical id."""
    functions = {name: one for name, one in template["Resources"].items() if one["Type"] == "AWS::Lambda::Function"}
    return {name: (one["Properties"]["Code"]["S3Bucket"], one["Properties"]["Code"]["S3Key"]) for name, one in functions.items()}
