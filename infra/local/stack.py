"""The local AWS of `make local`: the emulator, and in it the stack of the very template and binaries that AWS gets.

    python stack.py up [--port N] [--postledger FILE] | down | status

`up` starts the emulator unless it is up, deploys (over what is there, if it was up), posts the sample and leaves it running
in the background. Where it is stands in local.json, in the folder of the keys, for `postledger … --local` to find. What is
taken in lives as long as it is up.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HOME = pathlib.Path(os.environ.get("POSTLEDGER_HOME") or pathlib.Path.home() / ".postledger")
TOLD = HOME / "local.json"
LOG = ROOT / ".tools/local.log"
REGION = "eu-west-1"
PORT = 8631
STOP_SECONDS = 10


def main():
    parser = argparse.ArgumentParser(description="The local AWS of `make local`.")
    commands = parser.add_subparsers(required=True, metavar="up | down | status")
    add = commands.add_parser("up", help="start it, deploy, post the sample, leave it running")
    add.add_argument("--port", type=int, default=PORT, help=f"where it listens, on 127.0.0.1 [default: {PORT}]")
    add.add_argument("--postledger", type=pathlib.Path, default=ROOT / "target/release/postledger", metavar="FILE",
                     help="the command line [default: target/release/postledger]")
    add.add_argument("--functions", type=pathlib.Path, default=ROOT / "target/lambda", metavar="DIR",
                     help="the built functions [default: target/lambda]")
    add.set_defaults(run=up)
    commands.add_parser("down", help="stop it; what it took in is gone").set_defaults(run=down)
    commands.add_parser("status", help="whether it is up, and where").set_defaults(run=status)
    arguments = parser.parse_args()
    arguments.run(arguments)


def up(arguments):
    running = told()
    fresh = running is None
    if running:
        say(f"the local AWS is up at {running['endpoint']}; deploying what was built since")
    else:
        running = start(arguments.port)
    deploy = [ROOT / ".tools/sam/bin/python", ROOT / "infra/deploy.py", "local", "--endpoint", running["endpoint"]]
    if not quietly("deploying infra/app.yaml", [*deploy, "--home", HOME, "--postledger", arguments.postledger,
                                                     "--functions", arguments.functions, "--set", "Portal=true"]):
        fail("the stack could not be deployed", fresh)
    TOLD.write_text(json.dumps(running))
    say("starting the functions with a sample")
    if subprocess.run([arguments.postledger, "sample", "--local"]).returncode:
        fail("the sample was not recorded", fresh)
    say(f"\nIt stays up at {running['endpoint']}, for this machine only; `make local-stop` ends it. Webhook URLs of any "
        f"server:\n  {arguments.postledger} url --local --server 8123456\nLet yourself in to its portal:\n"
        f"  {arguments.postledger} user invite --local you@agency.example --operator\n"
        f"  {arguments.postledger} user link --local you@agency.example")


def start(port):
    HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
    LOG.write_text("")
    say("starting the emulator")
    python = ROOT / ".tools/aws/bin/python"
    emulator = [python, ROOT / "infra/local/emulator.py", "--enforce-iam", "--port", str(port)]
    with LOG.open("a") as log:
        process = subprocess.Popen(emulator, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                   start_new_session=True, text=True)
    endpoint = process.stdout.readline().strip()
    if not endpoint:
        why = LOG.read_text().strip().splitlines() or ["it gave no reason"]
        refuse(f"the emulator did not start: {why[-1].removeprefix('emulator.py: ')}\n"
               f"  next: free the port, or choose another with `make local PORT=N`; the log is {shown(LOG)}")
    running = {"endpoint": endpoint, "region": REGION, "pid": process.pid}
    TOLD.write_text(json.dumps(running))
    return running


def quietly(what, command):
    """Runs a command with its output in the log, telling every few seconds that it still runs."""
    say(what, end="")
    with LOG.open("a") as log:
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
        while True:
            try:
                code = process.wait(timeout=2)
                say("" if code == 0 else " failed")
                return code == 0
            except subprocess.TimeoutExpired:
                say(".", end="")


def down(_):
    running = told()
    if not running:
        say("down")
        return
    os.kill(running["pid"], signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while alive(running["pid"]):
        if time.monotonic() > end:
            os.kill(running["pid"], signal.SIGKILL)
        time.sleep(0.05)
    TOLD.unlink(missing_ok=True)
    say("stopped")


def status(_):
    running = told()
    say(f"up {running['endpoint']}" if running else "down")


def told():
    """Where it is, if it is up; what a killed one left behind is cleared away."""
    try:
        running = json.loads(TOLD.read_text())
        if alive(running["pid"]):
            return running
    except (OSError, ValueError, KeyError):
        pass
    TOLD.unlink(missing_ok=True)
    return None


def alive(pid):
    """Whether the process is there and is an emulator: a process id may be another's by now."""
    listed = subprocess.run(["ps", "-o", "stat=,args=", "-p", str(pid)], capture_output=True, text=True).stdout
    return "emulator.py" in listed and not listed.startswith("Z")


def fail(what, fresh):
    """Ends what was started for nothing; what had been up before stays up, with what it took in."""
    last = "\n".join(f"  {line}" for line in LOG.read_text().strip().splitlines()[-5:])
    if fresh:
        down(None)
    refuse(f"{what}; the end of {shown(LOG)}:\n{last}\n  next: fix what it says and run `make local` again")


def shown(path):
    return path.relative_to(ROOT)


def say(text, end="\n"):
    print(text, end=end, flush=True)


def refuse(why):
    print(f"make local: {why}", file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
