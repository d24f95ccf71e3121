"""Takes the list of crawlers' user agents from a release of crawler-user-agents (PyPI, MIT) into crawlers.txt.

    python3 shared/ledger/crawlers/update.py VERSION

Each pattern of the project is a regular expression; nearly all are plain texts with a choice of letters. They are written
out as plain texts, one a line: `^` at the start of a line stands for the start of a user agent, `$` at its end for the
end. What is no choice of plain texts is left out, and named in the head of the file.
"""

import itertools
import json
import pathlib
import re._constants as code
import re._parser as parser
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).parent
CHOICES_MAX = 64


def texts(tree):
    """All texts that a parsed pattern matches; `^` and `$` as above. None where they are not a few plain texts."""
    parts = []
    for operator, argument in tree:
        if operator is code.LITERAL:
            parts.append([chr(argument)])
        elif operator is code.IN and all(one is code.LITERAL for one, _ in argument):
            parts.append([chr(letter) for _, letter in argument])
        elif operator is code.AT and argument is code.AT_BEGINNING:
            parts.append(["\0^"])
        elif operator is code.AT and argument is code.AT_END:
            parts.append(["\0$"])
        elif operator in (code.SUBPATTERN, code.BRANCH):
            branches = argument[1] if operator is code.BRANCH else [argument[-1]]
            inner = [texts(branch) for branch in branches]
            if None in inner:
                return None
            parts.append(list(itertools.chain.from_iterable(inner)))
        else:
            return None
    found = ["".join(choice) for choice in itertools.islice(itertools.product(*parts), CHOICES_MAX + 1)]
    return found if len(found) <= CHOICES_MAX else None


def line(text):
    """A text as a line of the file, or None where a line cannot say it."""
    start, end = text.startswith("\0^"), text.endswith("\0$")
    plain = text.replace("\0^", "", 1).replace("\0$", "", 1)
    if "\0" in plain or not plain.isascii() or plain[0] in "#^" or plain[-1] == "$":
        return None
    return "^" * start + plain + "$" * end


def main():
    version = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*download, f"crawler-user-agents=={version}"], check=True)
        with zipfile.ZipFile(next(pathlib.Path(folder).iterdir())) as wheel:
            entries = json.loads(wheel.read("crawleruseragents/crawler-user-agents.json"))
            licence = next(name for name in wheel.namelist() if name.endswith("licenses/LICENSE"))
            (HERE / "LICENSE").write_bytes(wheel.read(licence))
    lines, left_out = set(), []
    for pattern in (entry["pattern"] for entry in entries):
        found = [line(text) for text in texts(parser.parse(pattern)) or [""] if text]
        if found and None not in found:
            lines.update(found)
        else:
            left_out.append(pattern)
    # A text in which another one stands adds nothing.
    anywhere = [one for one in lines if one[0] != "^" and one[-1] != "$"]
    lines = {one for one in lines if not any(other != one and other in one for other in anywhere)}
    head = [
        f"# User agents of crawlers, of crawler-user-agents {version} on PyPI (MIT, see LICENSE; Martin Monperrus and",
        "# contributors). Made by update.py, which says what a line means: do not edit.",
        f"# {len(entries)} patterns; left out: " + "   ".join(left_out),
    ]
    (HERE / "crawlers.txt").write_text("\n".join([*head, *sorted(lines)]) + "\n")


main()
