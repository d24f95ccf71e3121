"""What is said to whoever deploys, how it is refused, how other programs are run, and what to do about AWS's errors."""

import pathlib
import subprocess
import sys

SAM = pathlib.Path(sys.executable).with_name("sam")

# What helps against an error that AWS tells by a code.
REMEDIES = {
    "AccessDenied": "you need permission for this call: ask an administrator of this account for it, then run this again",
    "ExpiredToken": "sign in to AWS again, then run this again",
    "InvalidClientTokenId": "check the access keys in this shell (AWS_PROFILE, AWS_ACCESS_KEY_ID), then run this again",
    "Throttling": "AWS got too many calls at once: wait a minute, then run this again",
}
ALIKE = {
    "AccessDeniedException": "AccessDenied",
    "UnauthorizedOperation": "AccessDenied",
    "403": "AccessDenied",
    "ExpiredTokenException": "ExpiredToken",
    "RequestExpired": "ExpiredToken",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "ThrottlingException": "Throttling",
    "TooManyRequestsException": "Throttling",
}


def say(text):
    print(text, flush=True)


def refuse(why, next_step=None):
    """Ends with exit status 1."""
    told = f"deploy.py: {why}" + (f"\n  next: {next_step}" if next_step else "")
    print(told, file=sys.stderr, flush=True)
    raise SystemExit(1)


def run(command, **options):
    """Runs a program to its end, and gives its output; refuses where it fails."""
    done = subprocess.run([str(part) for part in command], text=True, **options)
    if done.returncode:
        sys.stderr.write(done.stderr or "")
        refuse(f"{pathlib.Path(command[0]).name} failed; it says why above")
    return done.stdout


def sam(*arguments, quiet=False):
    """Runs sam; whether it came to a good end. Quietly, it is heard only where it did not."""
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if quiet else {}
    done = subprocess.run([str(part) for part in (SAM, *arguments)], text=True, **how)
    if done.returncode and quiet:
        sys.stderr.write(done.stdout)
    return done.returncode == 0


def client(service, **options):
    """AWS's client of a service, imported when it is first needed."""
    import boto3

    return boto3.client(service, **options)


def code_of(error):
    """The code of an error that AWS answered; empty where it was no answer."""
    return getattr(error, "response", {}).get("Error", {}).get("Code", "")


def refuse_error(error):
    """Refuses for an error of AWS's client: what was asked, what AWS said, what to do."""
    code = code_of(error)
    if code:
        remedy = REMEDIES.get(ALIKE.get(code, code), "fix what AWS names, then run this again: it continues where it stopped")
        refuse(f"AWS refused {error.operation_name}: {error.response['Error'].get('Message') or code} ({code})", remedy)
    name = type(error).__name__
    if "Credentials" in name or "Token" in name or "Profile" in name:
        refuse(f"there is no access to AWS: {error}", "give this shell access (AWS_PROFILE, or `aws sso login`), then run this again")
    refuse(f"AWS was not reached: {error}", "check the network, then run this again: it continues where it stopped")
