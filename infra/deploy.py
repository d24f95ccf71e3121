"""Deploys the stack of an environment in samconfig.toml: `make deploy ENV=us-prod`, `make local`, and the tests.

    python deploy.py ENV [--endpoint URL] [--stack NAME] [--home DIR] [--set NAME=VALUE ...]
                         [--adopt | --rollback [--to RELEASE] | --list]

`sam package` and `sam deploy` do the work. Around it, each step in a file of its own in deployment/:

- before: the binaries must run where they go; what a failed deployment left is cleared away or told; keys are made that are
  not there yet; consumers are as many as the account's quota allows; what a portal costs is said;
- after: the stack of alarms and dashboard (AWS), or what an emulator leaves out; every function is asked whether it works; a
  production stack is protected from deletion; what went up is kept as a release.

`--adopt` is for a stack that was deleted: a new one of the same name takes its tables and queues over. `--rollback` deploys
the release before, without a build. Run it by .tools/sam/bin/python, in whose environment sam is; `make sam` makes it.
"""

import argparse
import os
import pathlib
import tempfile

from deployment import adoption, alarms, binaries, checks, emulated, index, portal, releases, stacks
from deployment.console import refuse, refuse_error, sam, say
from deployment.parameters import Keys, all_of, chosen, pairs
from deployment.template import parse, retained

INFRA = pathlib.Path(__file__).resolve().parent
ROOT = INFRA.parent
TEMPLATE = INFRA / "app.yaml"
# Where the functions are that are built for Lambda.
BUILT = ROOT / "target/lambda"


def main():
    arguments = parse_arguments()
    config = environment(arguments.env)
    region = config["global"]["parameters"]["region"]
    os.environ.update(SAM_CLI_TELEMETRY="0", AWS_REGION=region, AWS_DEFAULT_REGION=region)
    if arguments.endpoint:
        emulated.use(arguments.endpoint)

    from botocore.exceptions import BotoCoreError, ClientError

    try:
        Deployment(arguments, config, region).run()
    except (BotoCoreError, ClientError) as error:
        refuse_error(error)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Deploys the stack of an environment in infra/samconfig.toml.")
    parser.add_argument("env", metavar="ENV", help="us-prod, eu-prod, local, or one that you added there")
    parser.add_argument("--endpoint", metavar="URL", help="an emulator of AWS instead of AWS")
    parser.add_argument("--stack", metavar="NAME", help="a name for the stack, instead of the environment's")
    parser.add_argument("--home", metavar="DIR", help="where the keys are kept [default: ~/.postledger]")
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a parameter of the template")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--adopt", action="store_true", help="take over the tables and queues of a deleted stack")
    what.add_argument("--rollback", action="store_true",
                      help="deploy the release before the live one, with its parameters; no build is needed")
    what.add_argument("--list", action="store_true", help="print the releases that are kept, and which one is live; deploy nothing")
    parser.add_argument("--to", metavar="RELEASE", help="with --rollback: this release, by its name in --list")
    parser.add_argument("--page-topic", metavar="ARN", default="", help="an SNS topic for alarms that wake somebody")
    parser.add_argument("--ticket-topic", metavar="ARN", default="", help="an SNS topic for alarms that wait for the morning")
    parser.add_argument("--postledger", metavar="FILE", default=ROOT / "target/release/postledger",
                        help="the command line [default: target/release/postledger]")
    parser.add_argument("--functions", metavar="DIR", type=pathlib.Path, default=BUILT,
                        help="the built functions, each in a folder of its name [default: target/lambda]")
    arguments = parser.parse_args()
    if arguments.to and not arguments.rollback:
        parser.error("--to goes with --rollback")
    if wrong := [one for one in arguments.set if "=" not in one]:
        parser.error(f"--set takes NAME=VALUE, not {wrong[0]}")
    if arguments.rollback and arguments.set:
        parser.error("--rollback deploys a release with its own parameters: --set does not go with it")
    return arguments


def environment(name):
    import tomlkit

    environments = tomlkit.parse((INFRA / "samconfig.toml").read_text()).unwrap()
    if name not in environments:
        known = ", ".join(env for env in environments if env != "version")
        refuse(f"infra/samconfig.toml has no environment {name}", f"name one of {known}, or add it there")
    return environments[name]


class Deployment:
    """A deployment of a stack."""

    def __init__(self, arguments, config, region):
        self.arguments, self.config, self.region = arguments, config, region
        self.stack = arguments.stack or config["global"]["parameters"]["stack_name"]
        self.common = ["--config-file", INFRA / "samconfig.toml", "--config-env", arguments.env]
        self.shelf = releases.Shelf(self.stack, config)
        self.index = index.Notes(self.stack, region, arguments)

    def run(self):
        if self.arguments.list:
            self.shelf.show()
        elif self.arguments.rollback:
            self.roll_back()
        else:
            self.deploy()

    def deploy(self):
        given = pairs(self.arguments.set)
        template = parse(TEMPLATE.read_text())
        self.check_built(template, chosen(self.config, given))
        now = self.way_is_free(retained(template, self.stack))
        known = stacks.outputs_of(self.stack).get("PublicKeys") or self.shelf.last_known_keys()
        keys = Keys(self.stack, self.region, known, self.arguments)
        parameters = all_of(self.config, given, self.stack, now, keys)
        portal.prepare(self.stack, self.region, parameters, stacks.parameters_of(now))
        if self.arguments.endpoint:
            emulated.make_bucket(self.config["deploy"]["parameters"]["s3_bucket"], self.region)
        replaced = self.shelf.to_be_replaced()
        with tempfile.TemporaryDirectory() as folder:
            packaged = pathlib.Path(folder) / "template.yaml"
            self.package(packaged)
            if self.arguments.adopt and not now:
                adoption.adopt(self.stack, retained(template, self.stack))
            self.put_up(packaged, parameters)
            self.finish(packaged.read_text(), replaced)
        self.say_what_comes_next()

    def roll_back(self):
        now = stacks.make_way(self.stack)
        if not now.get("Outputs"):
            refuse(f"stack {self.stack} is not running", "`make deploy` creates one; `make adopt` creates one over what a deleted stack left")
        release = self.shelf.to_go_back_to(self.arguments.to)
        parameters = releases.parameters_again(release, stacks.parameters_of(now))
        with releases.in_a_file(release["template"]) as folder:
            self.put_up(pathlib.Path(folder) / "template.yaml", parameters)
        self.finish(release["template"], None)
        say(f"\nstack {self.stack} runs release {release['release']} again")

    def check_built(self, template, parameters):
        functions = sorted(folder.name for folder in (ROOT / "functions").iterdir() if folder.is_dir())
        architecture = parameters.get("Architecture", template["Parameters"]["Architecture"]["Default"])
        binaries.check(functions, self.arguments.functions, architecture, bool(self.arguments.endpoint))

    def way_is_free(self, resources):
        """The stack as it is, made free for this deployment; refuses where it would fail half-way."""
        now = stacks.make_way(self.stack)
        if self.arguments.adopt:
            # Taken over, but not deployed any further: somebody stopped there.
            if now and now["StackStatus"] != "IMPORT_COMPLETE":
                refuse(f"stack {self.stack} exists ({now['StackStatus']}) and has its tables and queues", "`make deploy`")
        elif not now:
            there = adoption.there_without_a_stack(resources)
            if there:
                names = ", ".join(str(one) for one in resources if one.logical_id in there)
                refuse(f"there is no stack {self.stack}, but an earlier stack of that name left {names}; CloudFormation would fail because they exist",
                       f"`make adopt ENV={self.arguments.env}` creates a stack that takes them over, and nothing in them is lost")
        return now

    def package(self, into):
        parameters = self.config["deploy"]["parameters"]
        bucket = ["--s3-bucket", parameters["s3_bucket"]] if "s3_bucket" in parameters else ["--resolve-s3"]
        say("uploading the functions to the bucket of packages")
        template = into.with_name("source.yaml")
        template.write_text(binaries.packages(self.arguments.functions.resolve(), TEMPLATE.read_text()))
        if not sam("package", "--template", template, "--output-template-file", into, *self.common, *bucket,
                   "--s3-prefix", parameters["s3_prefix"], quiet=True):
            refuse("the functions could not be uploaded to the bucket of packages; sam says why above; nothing was deployed")

    def put_up(self, template, parameters):
        say(f"deploying stack {self.stack} in {self.region}")
        # In quotes, for a value with a space: rate(1 hour).
        overrides = [f'{name}="{value}"' for name, value in parameters.items()]
        before = stacks.described(self.stack)
        # What is not named stays as it is, where the template knows it.
        known = parse(template.read_text())["Parameters"]
        kept = {name: value for name, value in stacks.parameters_of(before).items() if name in known}
        if index.is_switched(stacks.outputs_in(before), {**kept, **parameters}):
            self.index.off()
        if not sam("deploy", "--template-file", template, "--stack-name", self.stack, *self.common, "--parameter-overrides", *overrides):
            self.say_what_is_left(before)
        stacks.forget_failed_change_sets(self.stack)
        self.note_index(before)

    def note_index(self, before):
        """Notes that the index by time is on, where it is."""
        if stacks.outputs_of(self.stack).get("ByTime") != "true":
            return
        self.index.on(is_new=not before, is_taken_over=bool(before) and not stacks.outputs_in(before))

    def say_what_is_left(self, before):
        """Refuses, as a deployment failed: what that means for what ran before, and what is to be done."""
        stack = stacks.described(self.stack)
        status = stack.get("StackStatus")
        if all(stack.get(key) == before.get(key) for key in ("StackStatus", "LastUpdatedTime")):
            refuse("nothing was deployed; sam says why above" + (f"\n  stack {self.stack} is as it was" + self.index.left() if before else ""),
                   "fix that and run this again")
        if status == "REVIEW_IN_PROGRESS":
            refuse("nothing was deployed; sam says why above", "fix that and run this again: it removes what was left")
        if (status or "").endswith("_IN_PROGRESS"):
            refuse(f"sam stopped while stack {self.stack} is in {status}", "run this again: it waits until that is over")
        left = {"ROLLBACK_COMPLETE": "it was rolled back: nothing is left of it",
                "ROLLBACK_FAILED": "not everything could be rolled back: a production stack's tables are protected from deletion",
                "UPDATE_ROLLBACK_COMPLETE": "the stack is as it was before, and works"}.get(status, "")
        refuse(f"stack {self.stack} is in {status}: {stacks.reason_of(stack)}" + (f"\n  {left}" if left else ""),
               "fix what the reason names and run this again")

    def finish(self, template, replaced):
        """What comes after CloudFormation is done: refuses where what was deployed does not work."""
        outputs = stacks.outputs_of(self.stack)
        # An API's own host is closed where the operator says so; the operator's own host may not lead here yet.
        parameters = stacks.parameters_of(stacks.described(self.stack))
        closed = {"ApiId": parameters.get("DomainOnly") == "true", "PortalApiId": "PortalDomainTarget" in outputs}
        apis = [outputs[name] for name in closed if name in outputs and not closed[name]]
        urls = [checks.own_url(api, self.region) for api in apis]
        domains = [(outputs[url], outputs[target]) for url, target in (("ApiUrl", "DomainTarget"), ("PortalUrl", "PortalDomainTarget"))
                   if target in outputs]
        if self.arguments.endpoint:
            emulated.add_what_is_left_out(self.stack, outputs, self.arguments.endpoint)
            urls, domains = [emulated.base(self.arguments.endpoint, api) for api in apis], []
        if outputs["Stage"] == "prod":
            stacks.protect(self.stack)
        problems = checks.problems_of(self.stack, urls, domains)
        if problems:
            refuse(f"stack {self.stack} is deployed and does not work:\n  " + "\n  ".join(problems),
                   f"`make rollback ENV={self.arguments.env}` deploys the previous release in about a minute; or fix it and deploy again")
        self.shelf.keep(template, replaced)
        if not self.arguments.endpoint and not self.arguments.rollback:
            self.deploy_ops(outputs)

    def deploy_ops(self, outputs):
        name = f"{self.stack}-ops"
        stacks.make_way(name)
        parameters = alarms.of(self.stack, outputs, self.arguments)
        if not sam("deploy", "--template-file", INFRA / "ops.yaml", *self.common, "--stack-name", name, "--parameter-overrides",
                   *[f"{name}={value}" for name, value in parameters.items()]):
            refuse(f"stack {self.stack} is up and works, but its alarms and dashboard ({name}) are not deployed; sam says why above",
                   "fix that and run this again")
        stacks.forget_failed_change_sets(name)

    def say_what_comes_next(self):
        outputs = stacks.outputs_of(self.stack)
        where = ["--endpoint", self.arguments.endpoint] if self.arguments.endpoint else ["--region", self.region]
        postledger = f"target/release/postledger --stack {self.stack}"
        say(f"\nstack {self.stack} is up: {outputs['ApiUrl']}/health")
        ask = " ".join(where)
        if not self.arguments.adopt:
            say(f"next: {postledger} server add --server YOUR_SERVER_ID {ask}, then connect --server YOUR_SERVER_ID")
            if "PortalUrl" in outputs:
                api = self.arguments.endpoint and emulated.portal_url(self.arguments.endpoint, outputs["PortalApiId"])
                say(f"the portal is at {api or outputs['PortalUrl']}; its first operator: {postledger} user invite ADDRESS --operator {ask}, "
                    f"then user link ADDRESS")
        elif "DomainTarget" not in outputs:
            say(f"next, at once: its API has a new address, and webhooks in Postmark go to the old one, where nothing answers. For each "
                f"server of\n  {postledger} server list {ask}\nrun\n  {postledger} connect --server SERVER_ID --doors "
                f"{outputs['ApiUrl']} {ask}")
        else:
            say(f"next, at once: point the DNS record of {outputs['ApiUrl'].removeprefix('https://')} to {outputs['DomainTarget']}, which is "
                f"new; then check, for each server of\n  {postledger} server list {ask}\nthat nothing is left to do:\n  {postledger} "
                f"connect --server SERVER_ID {ask}")


if __name__ == "__main__":
    main()
