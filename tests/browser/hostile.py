"""A ledger in which every text that somebody else may write is an attack: on the page, on whoever reads it, or on its layout.

What an attack would do is seen in a browser: it runs (`pwn`), puts an element on the page (`data-pwn`), or loads something.
"""

import datetime

RUN = "document.documentElement.dataset.pwn=1"
LONG_WORD = "x" * 120
STREAMS = ("outbound", "javascript.alert", "pwn-news", f"longest-{LONG_WORD}")
CLIENT = f"</title></textarea></style></script>--><script>{RUN}</script>\"><img data-pwn src=pwn onerror={RUN}>' onmouseover='{RUN}"
LABEL = f"\"><svg data-pwn onload={RUN}> &lt;b&gt; \u202egpj.pwn\u2066 {{{{7*7}}}} {LONG_WORD}"
# A mail's HTML, which has words that are looked for where it is shown.
MAIL = (f"<h1>{LONG_WORD}</h1><p>words of the mail</p><script>{RUN};parent.{RUN};top.{RUN}</script><img src=x onerror=\"top.{RUN}\">"
        f"<link rel=preconnect href=//tracker.example><iframe srcdoc='&lt;link rel=preconnect href=//tracker.example&gt;<script>{RUN}</script>'></iframe>"
        f"<meta http-equiv=refresh content='0;url=/account'><a href=/account target=_top>x</a><form action=/account target=_top></form>")
ADDRESSES = (
    f"\"<script>{RUN}</script>\"@customer.example",
    f"'onmouseover='{RUN}'x='@customer.example",
    "\u202egpj.pwn\u200f@customer.example",
    f"{{{{7*7}}}}<img/data-pwn/src=pwn/onerror={RUN}>@customer.example",
    f"{'very.' * 11}long@{'very-long-name.' * 10}customer.example",
    "=cmd|'/c'!a0@customer.example",
    "person@customer.example",
)
# Nobody's, and no addresses: what somebody pastes into a field.
NO_ADDRESSES = (f"<script>{RUN}</script>", f"\"><img data-pwn src=pwn onerror={RUN}>", LONG_WORD * 4, "\u202eno address\u2066")
# Of those who may sign in: viewer, admin, operator; and others, who never do.
PEOPLE = (f"\"<script>{RUN}</script>\"@office.example", f"'onmouseover='{RUN}'x='@office.example", f"{'very.' * 11}long@office.example")
MORE_PEOPLE = tuple(f"\"><img data-pwn src=pwn{number}>\"@office.example" for number in range(3))
MESSAGE = f"\"><img data-pwn src=pwn onerror={RUN}>"
MESSAGES = (MESSAGE, "<pwn.old.mail.example>", f"../../servers?q=1#'{RUN}", "7dc0521c-a785-4c7b-b689-000000000000")
THEIRS, THEIR_MESSAGE = "secret.person@customer.example", "7dc0521c-a785-4c7b-b689-00000000aaaa"
DECISIONS = (("person@customer.example", f"<script>{RUN}</script> {LONG_WORD}"), (ADDRESSES[1], f"'><img data-pwn src=pwn onerror={RUN}>"))


def attack(number):
    """The nth attack by a text."""
    return (
        f"</title></textarea></style></script>--><script>{RUN}</script>\"><img data-pwn src=pwn onerror={RUN}>' onmouseover='{RUN}",
        f"javascript:{RUN}//\"autofocus onfocus={RUN} x=\"",
        f"{{{{7*7}}}} ${{7*7}} {{% {RUN} %}} <svg/data-pwn/onload={RUN}> &lt;script&gt;{RUN}&lt;/script&gt; %3Cscript%3E",
        f"\u202e{RUN}\u2066\u200f \ufeff<iframe data-pwn srcdoc=\"&lt;script&gt;{RUN}&lt;/script&gt;\">",
        f"<a data-pwn href=javascript:{RUN}>\u202ex\U0001f469\u200d\U0001f4bb</a>" * 40 + LONG_WORD * 10,
        f"data:text/html,<script>{RUN}</script>\0\b\x1b[31m\r\nSet-Cookie: pl=x\r\n\r\n<style data-pwn>*{{color:red}}</style>",
    )[number % 6]


def ago(**time):
    """An instant, as it is written."""
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**time)).isoformat()


def bodies(server):
    """What its webhooks tell: of each address something of each kind, and of one of them more than a page shows."""
    all_bodies = []
    for number in range(42):
        address, message, stream = (of[number % len(of)] for of in (ADDRESSES, MESSAGES, STREAMS))

        def body(kind, clock, minutes, **more):
            return {
                "RecordType": kind, "MessageStream": stream, "ServerID": server, "MessageID": message, "Tag": attack(number),
                clock: ago(hours=16 * number, minutes=minutes), "Recipient": address, "Email": address, "Metadata": {attack(number + 1): attack(number + 2)},
                "Subject": attack(number), "Description": attack(number + 1), "Details": attack(number + 2), "Name": attack(number + 3),
                "From": attack(number + 4), "UserAgent": attack(number + 5), "OriginalLink": attack(number + 1),
                "Client": {"Name": attack(number), "Family": attack(number)}, "OS": {"Name": attack(number), "Family": attack(number)},
                "Geo": {"Country": attack(number), "Region": attack(number)}, "Platform": attack(number), **more,
            }

        all_bodies += [
            body("Delivery", "DeliveredAt", 50),
            body("Open", "ReceivedAt", 40, FirstOpen=True),
            body("Click", "ReceivedAt", 30, ClickLocation=attack(number)),
            body("Bounce", "BouncedAt", 20, ID=1000 + number, Type=("HardBounce", f"<b data-pwn onclick={RUN}>")[number % 2],
                 Inactive=number % 4 == 0),
        ]
        if number % 3 == 0:
            reason = ("HardBounce", "SpamComplaint", "ManualSuppression")[number // 3 % 3]
            all_bodies.append(body("SubscriptionChange", "ChangedAt", 19, SuppressSending=True, SuppressionReason=reason,
                                   Origin=("Recipient", "Customer", "Admin")[number // 3 % 3]))
        if number % 5 == 0:
            all_bodies.append(body("SpamComplaint", "BouncedAt", 18, ID=9000 + number, Type="SpamComplaint", Inactive=True))
    # What cannot be recorded, and is set aside.
    all_bodies.append({"RecordType": "Bounce", "Email": attack(0), "MessageID": attack(1), "ID": attack(2)})
    return all_bodies


def plain(server):
    """What the webhooks of another server tell."""
    return [{"RecordType": "Delivery", "MessageStream": "outbound", "ServerID": server, "MessageID": THEIR_MESSAGE, "Recipient": THEIRS,
             "DeliveredAt": ago(hours=1), "Tag": "secret", "Details": "secret", "Metadata": {}}]
