"""What a program does with the read API through a client that openapi-python-client generated from its description.

Asks for POSTLEDGER_URL and POSTLEDGER_TOKEN in the environment, and a server, a stream and an address as arguments.
Prints the same lines as example.ts.
"""

import os
import sys
from http import HTTPStatus
from io import BytesIO

from postledger_client import AuthenticatedClient
from postledger_client.api.messages import list_activity
from postledger_client.api.recipients import check_addresses, get_recipient, get_timeline
from postledger_client.api.servers import list_servers
from postledger_client.api.stats import get_stats
from postledger_client.api.suppressions import import_suppressions, list_suppressions
from postledger_client.models import CheckRequest, ImportSuppressionsCause, Problem
from postledger_client.types import File


def main(server: int, stream: str, address: str) -> None:
    client = AuthenticatedClient(base_url=os.environ["POSTLEDGER_URL"], token=os.environ["POSTLEDGER_TOKEN"])

    servers = list_servers.sync(client=client)
    print("servers", [one.server for one in servers.items], servers.role.value)

    asked = CheckRequest(stream=stream, addresses=[address, "none", "bob@customer.example"])
    checked = check_addresses.sync(server, client=client, body=asked)
    for result in checked.results:
        print("check", result.address, result.verdict.value, [reason.code.value for reason in result.reasons])
    for invalid in checked.invalid:
        print("check", invalid.address, invalid.problem)

    recipient = get_recipient.sync(server, address, client=client)
    for name, of in recipient.streams.additional_properties.items():
        print("recipient", name, of.verdict.value)

    for entry in get_timeline.sync(server, address, client=client).items:
        print("timeline", entry.time.isoformat(timespec="seconds"), entry.type_.value, entry.stream)

    page = list_suppressions.sync(server, stream, client=client)
    for one in page.items:
        print("suppression", one.address, [cause.value for cause in one.causes])

    stats = get_stats.sync(server, client=client)
    print("stats", stats.server, stats.zone)

    rows = File(payload=BytesIO(f"email\n{address}\nnone\n".encode()))
    manual = ImportSuppressionsCause.MANUAL
    imported = import_suppressions.sync(server, client=client, body=rows, stream="*", cause=manual, dry_run=True)
    print("import", imported.rows, imported.counts.new, imported.counts.invalid)

    unknown = check_addresses.sync_detailed(server + 1, client=client, body=asked)
    assert isinstance(unknown.parsed, Problem) and unknown.status_code == HTTPStatus.NOT_FOUND
    print("problem", unknown.parsed.type_.value)

    activity = list_activity.sync_detailed(server, client=client)
    print("activity", activity.status_code.value)


main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
