#!/usr/bin/env python3
"""Writes advisories.tsv: what of a RustSec advisory says whether a version of a crate is affected.

    git clone --depth 1 https://github.com/RustSec/advisory-db && tests/advisories/update.py advisory-db 2026-11-30

It needs Python 3.11. The last argument is the day of the copy. Advisories that were withdrawn are left out.
"""

import pathlib
import sys
import tomllib

if len(sys.argv) != 3:
    sys.exit(__doc__)
folder, day = pathlib.Path(sys.argv[1]), sys.argv[2]
rows = []
for path in sorted(folder.glob("crates/*/RUSTSEC-*.md")):
    front, body = path.read_text().removeprefix("```toml\n").split("\n```\n", 1)
    told = tomllib.loads(front)
    advisory, versions = told["advisory"], told.get("versions", {})
    if "withdrawn" in advisory:
        continue
    title = next(line for line in body.splitlines() if line.startswith("# ")).removeprefix("# ").strip()
    ranges = [" || ".join(versions.get(which, [])) for which in ("patched", "unaffected")]
    rows.append([advisory["package"], advisory["id"], *ranges, advisory.get("informational", ""), title])
rows.sort()
text = f"# RustSec advisories as of {day}: crate, id, patched, unaffected, kind where it is no vulnerability, title\n"
text += "".join("\t".join(cell.replace("\t", " ") for cell in row) + "\n" for row in rows)
pathlib.Path(__file__).with_name("advisories.tsv").write_text(text)
print(f"{len(rows)} advisories")
