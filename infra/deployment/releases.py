"""What was deployed, kept so that it can be deployed again without a build.

A release is a file in the bucket that sam packages go to, `PREFIX/releases/STACK/TIME-MARK.json`: the packaged template, which
names each function's package in the same bucket, the parameters with which it went up, and which release it took the place
of. The mark is made of template and parameters, so that what a stack runs can be found among the releases by asking
CloudFormation, whatever was done to it meanwhile. A release is written when the functions have answered, so that what did
not start is none: one step back from it is the last that was well.
"""

import datetime
import functools
import hashlib
import json
import subprocess
import tempfile
from dataclasses import dataclass

from .console import client, code_of, refuse, say
from .stacks import described, outputs_of, parameters_of
from .template import packages, parse

# Who may come in and where is as it is now, whatever is deployed again: webhooks are signed by today's keys, and go to
# today's host; people find the portal where it is, and its index keeps what it has. How many functions run at once hangs on
# today's quota.
AS_NOW = ("PublicKeys", "Denied", "Operators", "DomainName", "CertificateArn", "DomainOnly", "Portal", "PortalConnects",
          "PortalDomainName", "PortalCertificateArn")
# Without these no webhook is let in or finds the way.
MUST_KNOW = ("PublicKeys", "DomainName")
BY_QUOTA = ("CriticalConcurrency", "BulkConcurrency", "QuarantineConcurrency", "PortalConcurrency", "PortalRequests")
SAM_STACK = "aws-sam-cli-managed-default"
# How many of the latest are listed.
SHOWN = 20


@dataclass(frozen=True)
class Release:
    """A release by its file's name."""

    key: str

    @property
    def name(self):
        return self.key.rpartition("/")[2].removesuffix(".json")

    @property
    def mark(self):
        return self.name.rpartition("-")[2]


def mark_of(template, parameters):
    """What tells a release from others: the template, and the parameters that are its own."""
    own = {name: value for name, value in parameters.items() if name not in AS_NOW + BY_QUOTA}
    text = json.dumps([parse(template), own], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def before(live, releases, load):
    """The name of the release to go back to, or nothing: the one that the live one took the place of; where what is live is
    no release, which is so if it did not start, the latest."""
    if live is None:
        return releases[-1].name if releases else None
    return load(live).get("before")


class Shelf:
    """The releases of a stack."""

    def __init__(self, stack, config):
        self.stack = stack
        self.named = config["deploy"]["parameters"].get("s3_bucket")
        self.prefix = f"{config['deploy']['parameters']['s3_prefix']}/releases/{stack}/"

    @functools.cached_property
    def bucket(self):
        """Where packages go; nothing where sam has made no bucket in this region yet."""
        return self.named or outputs_of(SAM_STACK).get("SourceBucket")

    def all(self):
        """The releases, the oldest first."""
        if not self.bucket:
            return []
        s3 = client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        try:
            return [Release(key) for key in sorted(one["Key"] for page in pages for one in page.get("Contents", []))]
        except s3.exceptions.NoSuchBucket:
            return []

    def load(self, release):
        return json.loads(client("s3").get_object(Bucket=self.bucket, Key=release.key)["Body"].read())

    def live(self):
        """Which release the stack runs; nothing if none."""
        releases, stack = self.all(), described(self.stack)
        if not releases or not stack.get("Outputs"):
            return None
        template = client("cloudformation").get_template(StackName=self.stack, TemplateStage="Original")["TemplateBody"]
        template = template if isinstance(template, str) else json.dumps(template)
        mark = mark_of(template, parameters_of(stack))
        return next((release for release in reversed(releases) if release.mark == mark), None)

    def to_be_replaced(self):
        """The name of the release that the next one takes the place of: the live one, or the latest where what is live is none."""
        releases = self.all()
        release = self.live() or (releases[-1] if releases else None)
        return release and release.name

    def last_known_keys(self):
        """The public keys of the latest release: what is known of a stack that was deleted."""
        releases = self.all()
        return self.load(releases[-1])["parameters"].get("PublicKeys") if releases else None

    def keep(self, template, replaced):
        """Keeps what the stack runs now as a release that took the place of another, unless it is kept already."""
        parameters = parameters_of(described(self.stack))
        mark = mark_of(template, parameters)
        if any(release.mark == mark for release in self.all()):
            return
        now = datetime.datetime.now(datetime.timezone.utc)
        name = f"{now:%Y%m%dT%H%M%SZ}-{mark}"
        told = {"stack": self.stack, "release": name, "before": replaced, "source": source(), "parameters": parameters,
                "template": template}
        # Where sam made a bucket just now, it is the packages' that is known.
        client("s3").put_object(Bucket=bucket_of(template), Key=f"{self.prefix}{name}.json",
                                Body=json.dumps(told).encode(), ContentType="application/json")

    def show(self):
        """Prints the releases."""
        releases, live = self.all(), self.live()
        if not releases:
            say(f"no release of stack {self.stack} is kept yet: the next deployment keeps one")
            return
        back = before(live, releases, self.load)
        if len(releases) > SHOWN:
            say(f"({len(releases) - SHOWN} older ones are kept)")
        for release in releases[-SHOWN:]:
            marks = [word for word, so in (("live", release == live), ("`make rollback` goes here", release.name == back)) if so]
            say(f"{release.name}  source {self.load(release)['source']}{'  (' + ', '.join(marks) + ')' if marks else ''}")
        if live is None:
            say(f"what stack {self.stack} runs is not one of these: it did not start, or was deployed in another way")

    def to_go_back_to(self, name):
        """What is deployed by a rollback: the release of a name, or the one before the live one. Refuses where there is none
        or it cannot be deployed any more."""
        releases, live = self.all(), self.live()
        known = {release.name: release for release in releases}
        wanted = name or before(live, releases, self.load)
        if wanted not in known:
            what = f"release {name} of stack {self.stack} is not kept" if name else \
                f"no release of stack {self.stack} from before the live one is kept"
            refuse(what, f"`make releases` lists those that are kept ({len(releases)}); `make rollback TO=NAME` deploys one of them")
        if live and wanted == live.name:
            refuse(f"stack {self.stack} already runs release {wanted}", "`make releases` lists the others")
        told = self.load(known[wanted])
        gone = [name for name, (bucket, key) in packages(parse(told["template"])).items() if not there(bucket, key)]
        if gone:
            refuse(f"the packages of {', '.join(gone)} of release {wanted} are not in the bucket any more",
                   "`make releases` lists the others; or check that commit out and run `make deploy`: source " + told["source"])
        say(f"going from {live.name if live else 'what is deployed, which is no release,'} back to {wanted}, source {told['source']}")
        return told


def parameters_again(release, now):
    """The parameters of a release that is deployed again, where these are the stack's now. Refuses a release that does not
    know one that matters."""
    knows = parse(release["template"])["Parameters"]
    parameters = {name: value for name, value in release["parameters"].items() if name not in BY_QUOTA}
    for name in AS_NOW:
        if name in now and name in knows:
            parameters[name] = now[name]
        elif name in MUST_KNOW and now.get(name):
            refuse(f"release {release['release']} does not know the parameter {name}, which is set and which webhooks depend on",
                   "`make releases` lists the others")
    if now.get("Portal") == "true" and "Portal" not in knows:
        say("warning: this release has no portal: people cannot sign in until a newer one is deployed, and events that come in until "
            "then are not in the index by time")
    return parameters


def bucket_of(template):
    """The bucket that a packaged template's functions are in."""
    return next((bucket for bucket, _ in packages(parse(template)).values()), None)


def there(bucket, key):
    s3 = client("s3")
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError as error:
        if code_of(error) not in ("404", "NoSuchKey", "NotFound"):
            raise
        return False
    return True


def source():
    """Which commit this is, as git says."""
    asked = subprocess.run(["git", "describe", "--always", "--dirty", "--tags"], capture_output=True, text=True, cwd=__file__.rpartition("/")[0])
    return asked.stdout.strip() or "unknown"


def in_a_file(template):
    """A temporary folder with a template in it, for sam."""
    folder = tempfile.TemporaryDirectory()
    with open(f"{folder.name}/template.yaml", "w") as file:
        file.write(template)
    return folder
