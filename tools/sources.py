# SPDX-License-Identifier: MIT
"""Which files belong to the source, for the tools beside this one."""
import os
import re
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# From the ground up. A floor sees itself and what is below.
FLOORS = ["port", "base", "sync", "data", "loop", "exec", "fiber", "actor", "wire", "job",
          "cluster", "gateway", "cli"]
# Beside the house: it takes over base's door to shared memory, and nothing of the house uses it.
EXPLORE = "explore"
EXPLORE_SEES = ["port", "base"]
# What libremuda is made of.
LIBRARY_FLOORS = FLOORS[:FLOORS.index("exec") + 1]


def listed_by_git(root):
    """Tracked and new files, or None when root is not the top of a checkout."""
    try:
        top = subprocess.run(["git", "-C", root, "rev-parse", "--show-toplevel"],
                             capture_output=True, text=True, check=True).stdout.strip()
        if os.path.realpath(top) != os.path.realpath(root):
            return None
        listed = subprocess.run(["git", "-C", root, "ls-files", "-coz", "--exclude-standard"],
                                capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return [name for name in listed.split("\0") if os.path.isfile(os.path.join(root, name))]


def walked(root):
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "build", "__"))]
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), root)


def files(root, *suffixes):
    """Paths relative to root, sorted; of all files or of those that end so."""
    names = listed_by_git(root)
    if names is None:
        names = walked(root)
    return sorted(name for name in names if not suffixes or name.endswith(suffixes))


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def blank(match):
    """Keeps the lines and the columns, takes the text."""
    return re.sub(r"[^\n]", " ", match.group(0))


COMMENT = r"/\*.*?\*/|//[^\n]*"
LITERAL = r'"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'"


def without_comments(text):
    return re.sub(f"({LITERAL})|{COMMENT}", lambda m: m.group(1) or blank(m), text, flags=re.S)


def code_only(text):
    """C source without comments and without what is inside quotes."""
    return re.sub(f"{LITERAL}|{COMMENT}", blank, text, flags=re.S)


def floor_of_header(text):
    """What a public header says in its line of that form, among the first five."""
    for line in text.splitlines()[:5]:
        match = re.fullmatch(r"/\* floor: (\w+) \*/", line)
        if match:
            return match.group(1)
    return None


def self_test(planted, violations):
    """Plants files, some of which must be refused, in an empty folder: (name, text, refused?).
    Returns an exit status."""
    with tempfile.TemporaryDirectory() as root:
        for name, text, _ in planted:
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                file.write(text)
        found = list(violations(root))
    refused = {line.split(":")[0] for line in found}
    wrong = [name for name, _, bad in planted if bool(bad) != (name in refused)]
    for name in wrong:
        print(f"FAIL  {name}: " + ("should be clean" if name in refused else "should be refused"))
    print("\n".join(found))
    print(f"{len(planted) - len(wrong)} passed, {len(wrong)} failed, 0 skipped")
    return 1 if wrong else 0
