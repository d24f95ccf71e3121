"""Finds a Chromium for the portal's tests, or fetches one: `make browser-tools`.

    python install.py FOLDER

Takes the first of these that really shows a page when Playwright drives it, and writes into FOLDER/browser.json how to start
it (harness.py reads that):

1. the program that the variable POSTLEDGER_CHROMIUM names;
2. one that was fetched into FOLDER before;
3. one that is installed on this machine;
4. Debian's chromium-headless-shell: apt-get downloads it with what this machine lacks of its libraries (100 MB), and the
   packages are unpacked into FOLDER. Nothing is installed, so nobody needs to be root, and `make clean` removes all of it;
5. Playwright's own build, where its download can be reached.

Run it by the Python of .tools/browser, in which Playwright is.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

# A browser without a window. On Debian it is a package of its own, with fewer dependencies than the whole browser.
PACKAGE = "chromium-headless-shell"
# What else is needed: a font, and a library of the Node that is inside Playwright. What the machine has is not downloaded.
BESIDE = ("fonts-dejavu-core", "libatomic1")
INSTALLED = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
START_SECONDS = 20
NEXT_STEP = f"""  next: install a Chromium, then run this again
    Debian:            apt-get install {PACKAGE}
    anything else:     install Chromium or Google Chrome as usual there
    an unusual place:  POSTLEDGER_CHROMIUM=/path/to/chromium make browser-tools"""


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder = pathlib.Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    chosen = os.environ.get("POSTLEDGER_CHROMIUM")
    ways = [lambda: {"executable": chosen}] if chosen else [
        lambda: unpacked(folder),
        *(lambda name=name: installed(name) for name in INSTALLED),
        lambda: by_apt(folder),
        lambda: by_playwright(folder),
    ]
    for way in ways:
        browser = way()
        version = browser and tried(browser)
        if version:
            (folder / "browser.json").write_text(json.dumps({**browser, "version": version}, indent=2) + "\n")
            say(f"Chromium {version}: {browser['executable']}")
            return
    print(f"install.py: no Chromium that works is here, and none could be fetched\n{NEXT_STEP}", file=sys.stderr)
    raise SystemExit(1)


def say(text):
    print(text, flush=True)


def installed(name):
    path = shutil.which(name)
    return path and {"executable": path}


def unpacked(folder):
    """How to start what `by_apt` unpacked, if it did."""
    root = folder / "root"
    if not root.is_dir():
        return None
    executable = root / "usr/lib/chromium/chromium-headless-shell"
    if not executable.exists():
        # The machine has the browser, and lacked something else.
        executable = shutil.which(PACKAGE)
    if not executable:
        return None
    # Libraries are in a folder that is named for the machine's kind, and a few of them in folders below it.
    places = [place for top in ("usr/lib", "lib") for place in (root / top).glob("*-linux-gnu*")]
    places += [place / name for place in places for name in ("nss", "pulseaudio")]
    environment = {"LD_LIBRARY_PATH": ":".join(str(place) for place in places if place.is_dir())}
    # A machine without a font has no settings for fonts either; one that has them goes on using its own.
    fonts = root / "fonts.conf"
    fonts.write_text(f"""<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>{root}/usr/share/fonts</dir>
  <cachedir>{folder}/font-cache</cachedir>
</fontconfig>
""")
    environment["FONTCONFIG_FILE"] = str(fonts)
    return {"executable": str(executable), "environment": environment}


def by_apt(folder):
    """Unpacks Debian's packages, without installing them: lists and downloads are in folders of our own."""
    if not all(shutil.which(program) for program in ("apt-get", "dpkg-deb")):
        return None
    root, state, cache = (folder / name for name in ("root", "apt-state", "apt-cache"))
    for place in (root, state, cache):
        shutil.rmtree(place, ignore_errors=True)
    for place in (root, state / "lists/partial", cache / "archives/partial"):
        place.mkdir(parents=True)
    options = {
        "Dir::State": state,
        # What is installed here already need not be downloaded.
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": cache,
        # Nothing of the machine's is written, so there is nothing to lock, and no other user to become.
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    apt = ["apt-get", "--quiet", "--yes", *(f"--option={name}={value}" for name, value in options.items())]
    say(f"fetching Debian's {PACKAGE}, 100 MB, into {folder}")
    # A source that cannot be reached is no reason to stop: another one may have the package.
    quietly([*apt, "update"])
    failed = quietly([*apt, "--download-only", "install", PACKAGE, *BESIDE])
    packages = sorted((cache / "archives").glob("*.deb"))
    if failed is None:
        for package in packages:
            failed = quietly(["dpkg-deb", "--extract", package, root])
            if failed is not None:
                break
    for place in (state, cache):
        shutil.rmtree(place, ignore_errors=True)
    if failed is not None:
        say(f"  apt-get could not: {failed}")
        return None
    return unpacked(folder)


def by_playwright(folder):
    """Playwright's own build, from its own place."""
    say("fetching Playwright's own Chromium")
    home = folder / "playwright"
    environment = {**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(home)}
    failed = quietly([sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"], env=environment)
    if failed is not None:
        say(f"  Playwright could not: {failed}")
        return None
    # Its folder is named for its version, and the program for the machine.
    found = [path for name in ("chrome-headless-shell", "headless_shell") for path in home.glob(f"*/*/{name}*") if path.is_file()]
    return {"executable": str(found[0])} if found else None


def quietly(command, **options):
    """Runs a program; None if it came to a good end, otherwise the last that it said."""
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {done.returncode}"


def tried(browser):
    """The browser's version, if it really shows a page."""
    from playwright.sync_api import Error, sync_playwright

    milliseconds = 1000 * START_SECONDS
    kept = dict(os.environ)
    os.environ.update(browser.get("environment", {}))
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser["executable"], timeout=milliseconds)
            page = chromium.new_page()
            page.set_content("<p>text</p>", timeout=milliseconds)
            # Without a font, text has no width.
            width = page.evaluate("""() => {
                const range = document.createRange()
                range.selectNodeContents(document.querySelector("p"))
                return range.getBoundingClientRect().width
            }""")
            page.screenshot(timeout=milliseconds)
            version = chromium.version
            chromium.close()
    except Error as error:
        say(f"  {browser['executable']} does not work: {first_line(error)}")
        return None
    except Exception as error:  # Playwright itself did not start, which it tells by no class of its own.
        say(f"  Playwright does not start ({first_line(error)})")
        return None
    finally:
        os.environ.clear()
        os.environ.update(kept)
    if not width:
        say(f"  {browser['executable']} shows no text: is there a font?")
        return None
    return version


def first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    loading = [line for line in lines if "error while loading" in line]
    return (loading or lines or [type(error).__name__])[0]


if __name__ == "__main__":
    main()
