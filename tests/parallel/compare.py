#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares `remuda run` with GNU parallel: standard output, exit status, job log, created files.

Every case is run with remuda. What GNU parallel does comes from a recording; a sample of the cases
is run live with the real program as well, to show that the recording is not stale. After a change
of cases.py record again: compare.py --record tests/parallel/expected.json
"""

import argparse
import concurrent.futures
import difflib
import hashlib
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

from cases import all_cases

HERE = pathlib.Path(__file__).resolve().parent
RECORDING = HERE / "expected.json"
TABLE = HERE.parent.parent / "docs" / "parallel-differences.md"
LONGEST = 30  # seconds that one run may take
INLINE = 1500  # bytes; longer output is recorded as its digest
USAGE = b"Usage:"


class Nothing(Exception):
    """Nothing can be compared; the text names the cause."""


def find_version(program):
    """The version of GNU parallel, or None where it is another program or none at all."""
    if not shutil.which(program):
        return None
    shown = subprocess.run([program, "--version"], capture_output=True, check=False).stdout
    found = re.match(rb"GNU parallel (\d+)", shown)
    return found and found[1].decode()


def surroundings(home, top, case):
    sanitizers = {name: os.environ[name] for name in os.environ if name.endswith("SAN_OPTIONS")}
    return {**sanitizers, "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TMPDIR": top,
            "HOME": str(home), "SHELL": "/bin/bash", "PARALLEL_SHELL": "/bin/bash", **case.env}


def finish(process, data):
    """Waits with a limit; what is left of the process group is killed."""
    try:
        out, err = process.communicate(data, timeout=LONGEST)
        return process.returncode, out, err
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    try:
        return "no end", *process.communicate(timeout=1)
    except subprocess.TimeoutExpired:  # a job in a group of its own still holds the pipe
        return "no end", b"", b""


def run(program, home, case):
    """Runs one case in a fresh directory; gives what can be compared, and standard error."""
    with tempfile.TemporaryDirectory(prefix="compare.", ignore_cleanup_errors=True) as top:
        work = pathlib.Path(top, "work")
        work.mkdir()
        for name, data in case.files.items():
            (work / name).write_bytes(data)
        try:
            process = subprocess.Popen(
                [*program, *case.argv], cwd=work, env=surroundings(home, top, case),
                start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            return {"rc": f"not started: {error.strerror}", "out": ""}, b""
        status, out, err = finish(process, case.stdin)
        return {"rc": status, "out": settled(out, case), **created(work, case)}, err


def settled(out, case):
    """Standard output in the form in which it is recorded."""
    if out.startswith(USAGE):
        return "(usage)"
    if case.sort:
        out = b"".join(sorted(out.splitlines(keepends=True)))
    return brief(out)


def brief(data):
    if len(data) > INLINE:
        return f"({len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()})"
    return data.decode("latin-1")


def created(work, case):
    """The files that are new or changed."""
    files = {}
    for path in sorted(work.rglob("*")):
        if path.is_file() and path.read_bytes() != case.files.get(path.name):
            data = path.read_bytes()
            name = str(path.relative_to(work))
            files[name] = table(data, case) if name.startswith("log") else brief(data)
    return {"files": files} if files else {}


ROW = re.compile(rb"(\d+)\t:\t\d{10}\.\d{3}\t(?= *\d+\.\d{3}\t)[ \d.]{10,}\t\d+\t\d+\t"
                 rb"(-?\d+\t\d+\t)")


def table(data, case):
    """A job log: of well-formed rows only the number, the two results and the command are kept."""
    rows = [ROW.sub(rb"\1\t\2", row) for row in data.split(b"\n")]
    if case.sort:
        rows[1:-1] = sorted(rows[1:-1])
    return brief(b"\n".join(rows))


def shown(result):
    """A result as lines for a person."""
    lines = [f"exit status {result['rc']}"]
    for name, text in [("standard output", result["out"]), *result.get("files", {}).items()]:
        lines.append(f"{name}:")
        lines += [f"    {line!r}" for line in text.splitlines(keepends=True)]
    return lines


def diff(left, right, before, after):
    """Why two results are not the same: a diff, empty where they are."""
    return list(difflib.unified_diff(shown(left), shown(right), before, after, "", "", 9, ""))


class Comparison:
    def __init__(self, options, recording, sample, rows):
        self.options = options
        self.recording = recording
        self.sample = sample
        self.rows = rows
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="compare.home."))
        (self.home / ".parallel").mkdir()
        (self.home / ".parallel" / "will-cite").touch()

    def parallel(self, case):
        return run([self.options.parallel], self.home, case)[0]

    def recorded(self, case):
        """What GNU parallel does, and why the recording cannot be used."""
        known = self.recording.get(case.name, {})
        if self.options.live == "all":
            return self.parallel(case), []
        if known.get("case") != case.digest():
            return None, ["the recording is of another case: record again"]
        real = {key: value for key, value in known.items() if key != "case"}
        if case.name in self.sample:
            return real, diff(real, self.parallel(case), "recording", "GNU parallel now")
        return real, []

    def expected(self, case, real):
        """What remuda must do, and what is wrong with the case itself."""
        if not case.differ:
            return real, []
        wanted = {**real, "rc": case.expect[0], "out": brief(case.expect[1])}
        if case.log:
            wanted["files"] = {"log": case.log}
        if case.differ not in self.rows:
            return wanted, [f"no row '{case.differ}' in {TABLE.name}"]
        if wanted == real:
            return wanted, [f"GNU parallel does the same: row '{case.differ}' is not needed"]
        return wanted, []

    def check(self, case):
        """All complaints about one case, as lines."""
        real, faults = self.recorded(case)
        if real is None:
            return faults
        wanted, more = self.expected(case, real)
        actual, err = run([self.options.remuda, "run"], self.home, case)
        unlike = diff(wanted, actual, "wanted", "remuda")
        if unlike and err:
            unlike += ["standard error of remuda:", *(f"    {line!r}" for line in err.splitlines())]
        return faults + more + unlike

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)


def command(case):
    """A case as a shell command."""
    words = [word if isinstance(word, str) else word.decode("latin-1") for word in case.argv]
    text = shlex.join(["remuda", "run", *words])
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in case.env.items())
    text = f"{settings} {text}" if settings else text
    if len(case.stdin) > INLINE:
        return f"({len(case.stdin)} bytes) | {text}"
    return f"printf %b {shlex.quote(repr(case.stdin)[2:-1])} | {text}" if case.stdin else text


def report(case, faults, options):
    print(f"\nFAILED {case.name}: {command(case)}")
    print("\n".join(faults))
    again = [sys.executable, sys.argv[0], "--remuda", options.remuda, "--only", f"^{case.name}$"]
    print(f"repeat: {shlex.join(again)}", flush=True)


def in_parallel(function, cases, jobs):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        yield from zip(cases, pool.map(function, cases))


def load(path):
    if not path.is_file():
        raise Nothing(f"there is no recording {path}")
    return json.loads(path.read_text())


def save(path, version, results):
    """One line for a case, so that a changed recording can be read."""
    lines = [f"{json.dumps(name)}: {json.dumps(result)}" for name, result in results]
    body = ",\n".join(lines)
    path.write_text(f'{{"version": {json.dumps(version)}, "cases": {{\n{body}\n}}}}\n')


def record(options, cases):
    version = find_version(options.parallel)
    if not version:
        raise Nothing(f"{options.parallel} is not GNU parallel")
    comparison = Comparison(options, {}, set(), set())
    try:
        results = [(case.name, {"case": case.digest(), **result})
                   for case, result in in_parallel(comparison.parallel, cases, options.jobs)]
    finally:
        comparison.close()
    save(pathlib.Path(options.record), version, results)
    print(f"{len(results)} cases of GNU parallel {version} recorded")
    return 0


def choose_sample(options, cases, version):
    """The names of the cases to run live, and how many of them have to be left out, and why."""
    if options.live == "all":
        if not find_version(options.parallel):
            raise Nothing(f"{options.parallel} is not GNU parallel")
        return set(), 0, ""
    count = min(int(options.live), len(cases))
    names = {case.name for case in random.Random(count).sample(cases, count)}
    found = find_version(options.parallel)
    if found == version:
        return names, 0, ""
    cause = f"is version {found}, not {version}" if found else "is not GNU parallel"
    return set(), count, f"live sample left out: {options.parallel} {cause}"


def compare(options, cases):
    if not shutil.which(options.remuda):
        raise Nothing(f"{options.remuda} cannot be run")
    recording = {} if options.live == "all" else load(pathlib.Path(options.replay))
    sample, skipped, cause = choose_sample(options, cases, recording.get("version"))
    rows = set(re.findall(r"^\| `([a-z0-9-]+)` \|", TABLE.read_text(), re.MULTILINE))
    comparison = Comparison(options, recording.get("cases", {}), sample, rows)
    failed = 0
    try:
        for case, faults in in_parallel(comparison.check, cases, options.jobs):
            failed += bool(faults)
            if faults:
                report(case, faults, options)
    finally:
        comparison.close()
    print(cause or f"live: {len(cases) if options.live == 'all' else len(sample)} cases")
    print(f"{len(cases) - failed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--remuda", default="remuda", help="the program to test")
    parser.add_argument("--parallel", default="parallel", help="GNU parallel")
    parser.add_argument("--only", default="", metavar="REGEX", help="cases whose name matches")
    parser.add_argument("--each", type=int, default=1, metavar="N", help="only every N-th of them")
    parser.add_argument("--list", action="store_true", help="show the cases and stop")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time")
    parser.add_argument("--live", default="40", metavar="N|all", help="cases to run with both")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--record", metavar="FILE", help="write what GNU parallel does, and stop")
    kind.add_argument("--replay", metavar="FILE", default=RECORDING, help="what GNU parallel does")
    return parser.parse_args()


def main():
    options = parse()
    for name in ("remuda", "parallel"):
        path = shutil.which(getattr(options, name))
        setattr(options, name, os.path.abspath(path) if path else getattr(options, name))
    cases = [case for case in all_cases() if re.search(options.only, case.name)]
    cases = cases[::options.each]
    if options.list:
        for case in cases:
            print(f"{case.name}: {command(case)}")
        return 0
    try:
        if not cases:
            raise Nothing(f"no case matches {options.only}")
        return record(options, cases) if options.record else compare(options, cases)
    except Nothing as cause:
        print(f"nothing compared: {cause}")
        return 77


if __name__ == "__main__":
    sys.exit(main())
