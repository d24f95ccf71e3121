"""Deploys the stack of an environment in samconfig.toml: `make deploy ENV=us-prod`, `make local`, and the tests.

    python deploy.py ENV [--endpoint URL] [--stack NAME] [--home DIR] [--set NAME=VALUE ...] [--adopt]

`sam deploy` does the work. Added to it: keys that are not there yet (`postledger keys prepare`), as parameters; for AWS the
stack of alarms and dashboard beside it; for an emulator what it leaves out. Run it by .tools/sam/bin/python, in whose
environment sam is; `make sam` makes it.

`--adopt` is for a stack that was deleted: its tables and queues are still there, and a stack of the same name takes them
over, by CloudFormation's import of existing resources, which `sam deploy` does not offer.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

INFRA = pathlib.Path(__file__).resolve().parent
ROOT = INFRA.parent
SAM = pathlib.Path(sys.executable).with_name("sam")
# What an emulator takes as an operator's credentials, and where its packages go.
EMULATED = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def main():
    arguments = parse_arguments()
    config = environment(arguments.env)
    stack = arguments.stack or config["global"]["parameters"]["stack_name"]
    region = config["global"]["parameters"]["region"]
    os.environ.update(SAM_CLI_TELEMETRY="0", AWS_REGION=region, AWS_DEFAULT_REGION=region)
    if arguments.endpoint:
        for mine in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            os.environ.pop(mine, None)
        os.environ.update(EMULATED, AWS_ENDPOINT_URL=arguments.endpoint)
        make_bucket(config["deploy"]["parameters"]["s3_bucket"], region)
    check_built()
    parameters = overrides(config, arguments, stack, region)
    say(f"deploying stack {stack} in {region}")
    common = ["--config-file", INFRA / "samconfig.toml", "--config-env", arguments.env]
    if arguments.adopt:
        adopt(stack, parameters, config, common)
    else:
        sam("deploy", "--template", INFRA / "app.yaml", "--stack-name", stack, *common,
            # In quotes, for a value with a space: rate(1 hour).
            "--parameter-overrides", *[f'{name}="{value}"' for name, value in parameters.items()])
    outputs = outputs_of(stack)
    if arguments.endpoint:
        add_what_the_emulator_leaves_out(outputs, arguments.endpoint)
    else:
        deploy_ops(stack, outputs, common, arguments.alarm_topic)
        say(f"\nstack {stack} is up: {outputs['ApiUrl']}/health\nnext: target/release/postledger --stack {stack} "
            f"--region {region} server add --server YOUR_SERVER_ID, then connect --server YOUR_SERVER_ID")


def parse_arguments():
    parser = argparse.ArgumentParser(description="Deploys the stack of an environment in infra/samconfig.toml.")
    parser.add_argument("env", metavar="ENV", help="us-prod, eu-prod, local, or one that you added there")
    parser.add_argument("--endpoint", metavar="URL", help="an emulator of AWS instead of AWS")
    parser.add_argument("--stack", metavar="NAME", help="another name than the environment's")
    parser.add_argument("--home", metavar="DIR", help="where the keys are kept [default: ~/.postledger]")
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a parameter of the template")
    parser.add_argument("--adopt", action="store_true", help="take over the tables and queues of a deleted stack")
    parser.add_argument("--alarm-topic", metavar="ARN", default="", help="an SNS topic that alarms are sent to")
    parser.add_argument("--postledger", metavar="FILE", default=ROOT / "target/release/postledger",
                        help="the command line [default: target/release/postledger]")
    return parser.parse_args()


def environment(name):
    import tomlkit

    environments = tomlkit.parse((INFRA / "samconfig.toml").read_text()).unwrap()
    if name not in environments:
        known = ", ".join(env for env in environments if env != "version")
        refuse(f"infra/samconfig.toml has no environment {name}: name one of {known}, or add it there")
    return environments[name]


def overrides(config, arguments, stack, region):
    """The template's parameters: the file's, then the keys', then those given."""
    parameters = dict(pair.split("=", 1) for pair in config["deploy"]["parameters"].get("parameter_overrides", []))
    given = dict(pair.split("=", 1) for pair in arguments.set)
    if not {"PublicKeys", "LedgerKeyParameter"} <= {*parameters, *given}:
        where = ["--endpoint", arguments.endpoint] if arguments.endpoint else []
        home = ["--home", arguments.home] if arguments.home else []
        prepare = [arguments.postledger, "--stack", stack, *home, "--json", "keys", "prepare", "--region", region, *where]
        made = json.loads(run(prepare, capture_output=True))
        check_keys(stack, {**made, **parameters, **given}["PublicKeys"])
        parameters = {**made, **parameters}
    if "Operators" not in {*parameters, *given}:
        parameters["Operators"] = operators(stack, bool(arguments.endpoint))
    return {**parameters, **given}


def operators(stack, emulated):
    """Whose commands the consumer believes: those that it believed before, and whoever deploys."""
    identity = import_boto3().client("sts").get_caller_identity()
    # An emulator's queues tell the account of whoever sends; AWS's tell the unique id of a role or user.
    mine = identity["Account"] if emulated else identity["UserId"].split(":")[0]
    known = {one["ParameterKey"]: one["ParameterValue"] for one in described(stack).get("Parameters", [])}
    before = [one for one in known.get("Operators", "").split(",") if one]
    return ",".join(dict.fromkeys([*before, mine]))


def check_keys(stack, public):
    """Refuses what would lock out every webhook: keys of which the deployed doors know none."""
    known = outputs_of(stack).get("PublicKeys", public)
    if not {*known.split(",")} & {*public.split(",")}:
        refuse(f"stack {stack} verifies passwords by {known}, and the keys here are others: every webhook would be put off.\n"
               f"  next: deploy where the key is, or name its folder by --home; to deploy without it put "
               f"PublicKeys={known} into the environment's parameter_overrides")


def make_bucket(name, region):
    s3 = import_boto3().client("s3")
    try:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    except s3.exceptions.BucketAlreadyOwnedByYou:
        pass


def check_built():
    missing = [folder.name for folder in sorted((ROOT / "functions").iterdir())
               if folder.is_dir() and not (ROOT / "target/lambda" / folder.name / "bootstrap").exists()]
    if missing:
        refuse(f"{', '.join(missing)} not built: run `make functions`, then this again")


def adopt(stack, parameters, config, common):
    cloudformation = import_boto3().client("cloudformation")
    with tempfile.TemporaryDirectory() as folder:
        packaged = pathlib.Path(folder) / "packaged.yaml"
        bucket = config["deploy"]["parameters"].get("s3_bucket")
        sam("package", "--template", INFRA / "app.yaml", "--output-template-file", packaged, *common,
            *(["--s3-bucket", bucket] if bucket else ["--resolve-s3"]))
        change = cloudformation.create_change_set(
            StackName=stack, ChangeSetName="adopt", ChangeSetType="CREATE", ImportExistingResources=True,
            TemplateBody=with_literal_names(packaged.read_text(), stack), Capabilities=["CAPABILITY_IAM"],
            Tags=[dict(zip(("Key", "Value"), tag.split("=", 1))) for tag in config["deploy"]["parameters"].get("tags", [])],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        )["Id"]
    wait(cloudformation, "change_set_create_complete", ChangeSetName=change)
    cloudformation.execute_change_set(ChangeSetName=change)
    say("taking over what is there; this takes a few minutes on AWS")
    wait(cloudformation, "stack_create_complete", StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 1800})


def wait(cloudformation, until, **what):
    from botocore.exceptions import WaiterError

    try:
        cloudformation.get_waiter(until).wait(**what)
    except WaiterError as error:
        told = error.last_response
        reason = told.get("StatusReason") or told.get("Stacks", [{}])[0].get("StackStatusReason") or error
        refuse(f"nothing was taken over: {reason}\n  next: a stack that is still there is deployed by `make deploy`; the "
               f"stack's events in CloudFormation tell the rest")


def with_literal_names(template, stack):
    """CloudFormation looks for an existing resource by a name that is written out, not by one that it has to make up."""
    from samcli.yamlhelper import yaml_parse

    parsed = yaml_parse(template)
    for resource in parsed["Resources"].values():
        for name in ("TableName", "QueueName"):
            if name in resource["Properties"] and resource["DeletionPolicy"] == "Retain":
                resource["Properties"][name] = resource["Properties"][name]["Fn::Sub"].replace("${AWS::StackName}", stack)
    # As JSON without spaces, and without words for people, which the next deployment brings back: CloudFormation takes
    # 51,200 bytes in a request, and YAML would spend a fifth on indentation.
    parsed.pop("Metadata", None)
    for resource in parsed["Resources"].values():
        resource.pop("Metadata", None)
    for described in [*parsed["Parameters"].values(), *parsed["Outputs"].values()]:
        described.pop("Description", None)
        described.pop("ConstraintDescription", None)
    return json.dumps(parsed, separators=(",", ":"))


def outputs_of(stack):
    """What a stack tells of itself; nothing if there is none."""
    return {output["OutputKey"]: output["OutputValue"] for output in described(stack).get("Outputs", [])}


def described(stack):
    cloudformation = import_boto3().client("cloudformation")
    try:
        return cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" not in str(error):
            raise
        return {}


def add_what_the_emulator_leaves_out(outputs, endpoint):
    # CloudFormation there ignores TimeToLiveSpecification.
    dynamodb = import_boto3().client("dynamodb")
    for table in (outputs["EventsTable"], outputs["QuarantineTable"]):
        specification = {"AttributeName": "expires_at", "Enabled": True}
        if dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED":
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)
    # An API there has no host name of its own, so the URL that the template makes of its id leads nowhere.
    functions = import_boto3().client("lambda")
    told = functions.get_function_configuration(FunctionName=outputs["WatchFunction"])["Environment"]["Variables"]
    told["POSTLEDGER_BASE"] = f"{endpoint.rstrip('/')}/_aws/execute-api/{outputs['ApiId']}/%24default"
    functions.update_function_configuration(FunctionName=outputs["WatchFunction"], Environment={"Variables": told})


def deploy_ops(stack, outputs, common, topic):
    sam("deploy", "--template", INFRA / "ops.yaml", *common, "--stack-name", f"{stack}-ops", "--parameter-overrides",
        f"Stack={stack}", f"Stage={outputs['Stage']}", f"ApiId={outputs['ApiId']}",
        *([f"AlarmTopicArn={topic}"] if topic else []))


def import_boto3():
    """Late, so that --help needs nothing."""
    import boto3

    return boto3


def sam(*arguments):
    run([SAM, *arguments])


def run(command, **options):
    done = subprocess.run([str(part) for part in command], text=True, **options)
    if done.returncode:
        sys.stderr.write(done.stderr or "")
        refuse(f"{pathlib.Path(command[0]).name} failed; it says why above")
    return done.stdout


def say(text):
    print(text, flush=True)


def refuse(why):
    print(f"deploy.py: {why}", file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
