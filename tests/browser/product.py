"""The ledgers that the pages are looked at in. Each is a `postledger run` of its own, with a portal:

- `full`: the sample that it posts by itself. Its people enter by the buttons of the page for signing in.
- `empty`: a server that was registered and has sent nothing yet. People enter by links of `postledger user link`.
- `hostile`: every text that somebody else may write is an attack (hostile.py). Beside that server there is a second one,
  which its viewer and its admin may not see.
"""

import base64
import contextlib
import datetime
import http.server
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import uuid

import harness
import hostile
import pages
from harness import Broken

SERVER, OTHER_SERVER = 8123456, 9000001
ROLES = ("viewer", "admin", "operator")
COMMAND_SECONDS = 60
# How long something may take that happens behind the back of whoever asked for it: a mail, the record of an event.
SOON_SECONDS = 30
LOOK_AGAIN_SECONDS = 0.02
# How long after a mail was taken its delivery is reported: long enough that a page is seen waiting for it.
DELIVERED_AFTER_SECONDS = 2
# How far back a ledger is compared with Postmark.
COMPARED_DAYS = 12
# The portal and the doors, among the lines that `postledger run` prints.
SAYS = r"(?s)Open the portal in a browser:\s+(http://[0-9.:]+)"
DOORS = re.compile(r"Postledger is up at (http://[0-9.:]+)")


class Ledger(contextlib.ExitStack):
    """A ledger with a portal, from its start to its end. `values` are what stands in the paths of pages."""

    def __init__(self, name, program, *arguments):
        super().__init__()
        self.name, self._program, self._arguments = name, str(pathlib.Path(program).resolve()), arguments
        self.base = self._doors = self.folder = None
        self.people, self.values = {}, {"server": SERVER, "other": OTHER_SERVER}
        self._read, self._lock = set(), threading.Lock()

    def __enter__(self):
        try:
            self.folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory(prefix="postledger-browser-")))
            words = ["run", "--home", self._home(), "--port", "0", "--portal", "127.0.0.1:0", "--mail-folder", self._mail()]
            command = shlex.join([self._program, *map(str, words), *self._arguments])
            product = self.enter_context(harness.Product(command, SAYS, self._variables()))
            self.base, self._doors = product.base, DOORS.search(product.said()).group(1)
            self._fill()
        except BaseException:
            self.close()
            raise
        return self

    def _fill(self):
        pass

    def _variables(self):
        """Nothing of a developer's: no settings, no token, no stack."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)}

    def _home(self):
        return self.folder / "home"

    def _mail(self):
        return self.folder / "mail"

    def command(self, *words, given="", of=()):
        """What a command prints. `of` are addresses: they may begin as options do."""
        whole = [self._program, *map(str, words), "--home", str(self._home()), "--url", self._doors, *(["--", *of] if of else [])]
        done = subprocess.run(whole, cwd=self.folder, env=self._variables(), input=given, capture_output=True, text=True,
                              timeout=COMMAND_SECONDS)
        if done.returncode:
            raise Broken(f"{shlex.join(whole[1:])} ended with {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def invite(self, role, *addresses, server=SERVER):
        what = ["--operator"] if role == "operator" else [f"--{role}-of", server]
        self.command("user", "invite", *what, *(["--reveal", "--content"] if role == "admin" else []), of=addresses)

    def link(self, address):
        """A link that signs somebody in once."""
        return self.command("user", "link", of=[address]).split()[-1]

    def sign_in(self, page, role):
        """Signs in as somebody of a role."""
        pages.by_link(page, self.link(self.people[role]))

    def value(self, name):
        """What stands in the path of a page. A link is made anew each time, since it does not last."""
        if name == "link":
            return self.link(self.people["viewer"]).split("/")[-1]
        return self.values[name]

    def post(self, bodies, server=SERVER):
        """Posts bodies to the doors, and waits until they are recorded."""
        self.command("post", "--server", server, given="\n".join(json.dumps(body) for body in bodies))
        self.wait(lambda: not any(row["waiting"] or row["in_flight"] for row in json.loads(self.command("queues", "--json"))),
                  "that what was posted is recorded")

    def mail(self, address, kind):
        """The text of the next mail of a kind (`sign-in`, `invitation`) to somebody, each once."""
        def found():
            # Each is renamed to this when it is whole.
            for path in sorted(self._mail().glob(f"*-{kind}.eml")):
                text = path.read_text(encoding="utf-8")
                with self._lock:
                    if path not in self._read and text.startswith(f"To: {address}\n"):
                        self._read.add(path)
                        return text
            return None
        return self.wait(found, f"for a mail to {address} of the kind {kind}")

    def code(self, address):
        """The code of the next mail with one to somebody, and its link."""
        text = self.mail(address, "sign-in")
        links = re.findall(r"https?://\S+", text)
        return re.search(r"^\s+(\d[\d ]+\d)\s*$", text, re.MULTILINE).group(1), links[0] if links else None

    @staticmethod
    def wait(happened, what):
        """Looks until something has happened, and gives what was found."""
        until = time.monotonic() + SOON_SECONDS
        while not (found := happened()):
            if time.monotonic() > until:
                raise Broken(f"waited {SOON_SECONDS} s {what}, in vain")
            time.sleep(LOOK_AGAIN_SECONDS)
        return found

    def recipient(self, address):
        """The id of an address."""
        return json.loads(self.command("recipient", "--server", SERVER, "--json", of=[address]))["recipient_id"]

    def user(self, address):
        """The id of somebody who may sign in."""
        everybody = json.loads(self.command("user", "list", "--json"))["items"]
        return next(one["id"] for one in everybody if one["address"] == address)


class Full(Ledger):
    """The sample."""

    def _fill(self):
        self.people = {role: f"{role}@sample.example" for role in ROLES}
        self.values |= {
            "address": "no.such.user@customer.example",
            "recipient": self.recipient("no.such.user@customer.example"),
            "message": "5a3c9f00-0000-4000-8000-000000000002",
            "stream": "outbound",
            "person": self.user(self.people["viewer"]),
            "checked": "annoyed@customer.example\nida.moreau@customer.example\nfull.mailbox@customer.example\nnot an address",
        }

    def sign_in(self, page, role):
        page.goto(f"{self.base}/sign-in")
        page.locator(f"form[action='/sample/{role}'] button").click()
        page.wait_for_url(f"{self.base}/")


class Empty(Ledger):
    """A server of which nothing is known but its name."""

    # Of the servers' tokens: what the Postmark here keeps for them follows from it.
    TOKEN = "token"

    def __init__(self, name, program, postmark):
        super().__init__(name, program, "--no-sample", "--postmark", postmark)
        self._postmark = postmark

    def _fill(self):
        self.register("Shop", "Ida’s shop")
        self.people = {role: f"{role}@client.example" for role in ROLES}
        for role, address in self.people.items():
            self.invite(role, address)
        nobody = "nobody@customer.example"
        self.values |= {"address": nobody, "recipient": self.recipient(nobody), "message": "none", "stream": "outbound",
                        "person": self.user(self.people["viewer"]), "checked": nobody}

    def register(self, client, label, server=SERVER):
        words = ["--server", server, "--client", client, "--label", label, "--postmark", self._postmark]
        self.command("server", "add", *words, given=f"{server}-{self.TOKEN}\n")


class Hostile(Empty):
    """A server whose every text is an attack, and another one."""

    TOKEN = "hostile"

    def _fill(self):
        self.register(hostile.CLIENT, hostile.LABEL)
        self.register("Somebody else", "Another shop", OTHER_SERVER)
        self.people = {role: address for role, address in zip(ROLES, hostile.PEOPLE)}
        for role, address in self.people.items():
            self.invite(role, address)
        for role, address in zip(ROLES, hostile.MORE_PEOPLE):
            self.invite(role, address)
        self.post(hostile.bodies(SERVER))
        self.post(hostile.plain(OTHER_SERVER), OTHER_SERVER)
        for address, reason in hostile.DECISIONS:
            self.command("suppress", "--server", SERVER, "--stream", "outbound", "--no-postmark", f"--reason={reason}", of=[address])
        self.command("reconcile", "--server", SERVER, "--postmark", self._postmark, "--from", hostile.ago(days=COMPARED_DAYS))
        address = hostile.ADDRESSES[0]
        self.values |= {
            "address": address,
            "recipient": self.recipient(address),
            "message": urllib.parse.quote(hostile.MESSAGE, safe=""),
            "stream": hostile.STREAMS[-1],
            "person": self.user(self.people["viewer"]),
            "checked": "\n".join([*hostile.ADDRESSES, *hostile.NO_ADDRESSES]),
            "their_recipient": self.recipient(hostile.THEIRS),
            "their_message": hostile.THEIR_MESSAGE,
        }


class Postmark(contextlib.AbstractContextManager):
    """As much of Postmark as is needed to register servers, to set up their webhooks, and to compare them with: each token is
    `ID-token` or, where what it keeps for the server is attacks, `ID-hostile`. There are two streams, all lists are empty, on each
    day there were opens that no list tells of, every webhook is verified, and each mail is delivered at once, which the webhooks for
    that report. Settings of servers can be changed."""

    def __enter__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._server.daemon_threads = True
        self._server.webhooks, self._server.kept = {}, {}
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def deliver(row, report):
    """Posts a report to where a webhook leads, a little after the mail was taken."""
    time.sleep(DELIVERED_AFTER_SECONDS)
    auth = row["HttpAuth"]
    credential = base64.b64encode(f"{auth['Username']}:{auth['Password']}".encode()).decode()
    headers = {"content-type": "application/json", "authorization": f"Basic {credential}"}
    urllib.request.urlopen(urllib.request.Request(row["Url"], json.dumps(report).encode(), headers)).close()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        if self.path == "/email":
            self.send_mail()
        else:
            self.keep(len(self.server.webhooks) + 1)

    def send_mail(self):
        mail = json.loads(self.rfile.read(int(self.headers["content-length"])))
        at, server = datetime.datetime.now(datetime.timezone.utc).isoformat(), self.token_server()
        message = str(uuid.uuid4())
        self.tell({"ErrorCode": 0, "Message": "OK", "To": mail["To"], "MessageID": message, "SubmittedAt": at})
        report = {"RecordType": "Delivery", "ServerID": server, "MessageStream": mail["MessageStream"], "MessageID": message,
                  "Recipient": mail["To"], "DeliveredAt": at, "Details": "250 taken", "Tag": "", "Metadata": {}}
        for (of, _), row in list(self.server.webhooks.items()):
            wanted = row.get("Triggers", {}).get("Delivery", {}).get("Enabled")
            if of == server and wanted and row.get("MessageStream") == mail["MessageStream"]:
                threading.Thread(target=deliver, args=(row, report), daemon=True).start()

    def do_PUT(self):
        if self.path != "/server":
            return self.keep(int(self.path.split("/")[-1]))
        kept = self.kept(self.token_server())
        kept.update(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.tell(kept)

    def do_DELETE(self):
        self.server.webhooks.pop((self.token_server(), int(self.path.split("/")[-1])), None)
        self.tell({"ErrorCode": 0, "Message": "removed"})

    def keep(self, number):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        row = self.server.webhooks.setdefault((self.token_server(), number), {"ID": number, "Status": "verified"})
        row.update(asked)
        self.tell(row)

    def token_server(self):
        return int(self.headers.get("x-postmark-server-token", "0-").split("-")[0] or 0)

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        server = self.token_server()
        if path == "/webhooks":
            answer = {"Webhooks": [row for (of, _), row in self.server.webhooks.items() if of == server]}
        elif path.startswith("/webhooks/"):
            answer = {"Statuses": {}, "Metrics": {}}
        elif path == "/server":
            answer = self.kept(server)
        elif path == "/message-streams":
            kinds = {"outbound": "Transactional", "broadcast": "Broadcasts"}
            answer = {"MessageStreams": [{"ID": name, "Name": name, "MessageStreamType": kind} for name, kind in kinds.items()]}
        elif path.endswith("/suppressions/dump"):
            answer = {"Suppressions": []}
        elif path.startswith("/messages/outbound/") and path.endswith("/details"):
            answer = {"MessageID": path.split("/")[3], "ReceivedAt": "2026-01-01T00:00:00Z", "MessageStream": "outbound", "Status": "Sent",
                      "Subject": hostile.LABEL, "TextBody": hostile.CLIENT, "HtmlBody": hostile.MAIL, "Attachments": [hostile.LONG_WORD],
                      "MessageEvents": []}
        elif path.startswith("/stats/"):
            day = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["fromdate"][0]
            answer = {"Days": [{"Date": day, "Unique": 3, "Opens": 9}]}
        else:
            answer = {"TotalCount": 0, "Bounces" if path == "/bounces" else path.split("/")[-1].title().replace("Outbound", "Messages").replace("Inbound", "InboundMessages"): []}
        self.tell(answer)

    def kept(self, server):
        """What is kept for the server of a token, from the first time that it is asked for."""
        token = self.headers.get("x-postmark-server-token", "")
        attacks = {"Name": hostile.LABEL, "Color": hostile.CLIENT, "TrackLinks": hostile.NO_ADDRESSES[1], "InboundDomain": hostile.LONG_WORD,
                   "DeliveryType": hostile.CLIENT, "ServerLink": f"javascript:{hostile.RUN}", "OpenHookUrl": hostile.CLIENT,
                   "BounceHookUrl": f"https://user:password@{hostile.LONG_WORD[:60]}.example/", "PostFirstOpenOnly": True}
        usual = {"ID": server, "Name": f"Server {server}", "ApiTokens": [], "DeliveryType": "Live", "Color": "Purple", "TrackOpens": True,
                 "TrackLinks": "None", "SmtpApiActivated": True, "InboundSpamThreshold": 5, "RawEmailEnabled": False}
        return self.server.kept.setdefault(token, {**usual, **(attacks if token.endswith("-hostile") else {})})

    def tell(self, answer):
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def ledgers(program, wanted):
    """The ledgers of these names, each started beside the others."""
    with contextlib.ExitStack() as stack:
        postmark = stack.enter_context(Postmark()).url
        kinds = {"full": lambda: Full("full", program), "empty": lambda: Empty("empty", program, postmark),
                 "hostile": lambda: Hostile("hostile", program, postmark)}
        started, broken = {}, []

        def start(name):
            try:
                started[name] = kinds[name]().__enter__()
            except BaseException as error:
                broken.append(error)

        starting = [threading.Thread(target=start, args=(name,)) for name in wanted]
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        for ledger in started.values():
            stack.push(ledger)
        if broken:
            raise broken[0]
        yield {name: started[name] for name in wanted}
