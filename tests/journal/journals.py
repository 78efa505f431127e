# SPDX-License-Identifier: MIT
"""What the tests of journals share: a job whose tasks leave traces, and its judge."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ["REMUDA_SOURCE"]
BUILD = os.environ["REMUDA_BUILD"]
PATIENCE = int(os.environ.get("KIT_LIMIT_FACTOR", "1"))
SANITIZED = PATIENCE > 1
KILLED = -signal.SIGKILL
REMUDA = os.path.join(BUILD, "remuda")
FAULTY = os.path.join(BUILD, "tests", "journal", "tests-journal-faulty")
WORKER = os.path.join(BUILD, "tests", "journal", "tests-journal-work_helper")
HISTCHECK = os.path.join(SOURCE, "tests", "histcheck", "histcheck")
sys.path.insert(0, os.path.join(SOURCE, "tests", "kit"))
sys.dont_write_bytecode = True
import kit_unittest  # noqa: E402,F401

ENVIRONMENT = {**os.environ, "PARALLEL_SHELL": "/bin/sh"}


def folder():
    """In memory where there is such a place: syncs of a disk would take most of the time."""
    shared = "/dev/shm"
    return tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None)


def run(*words, stdin=b"", program=REMUDA, **more):
    """`remuda run` with these words, to its end."""
    env = {**ENVIRONMENT, **more.pop("env", {})}
    return subprocess.run([program, "run", *map(str, words)], input=stdin, check=False, env=env,
                          capture_output=True, timeout=60 * PATIENCE, **more)


def rows(path, question):
    """Asked of a copy, log and all, so that the journal stays as it is."""
    with tempfile.TemporaryDirectory() as place:
        for end in ("", "-wal"):
            if os.path.exists(path + end):
                shutil.copyfile(path + end, place + "/copy" + end)
        database = sqlite3.connect(place + "/copy")
        try:
            return database.execute(question).fetchall()
        finally:
            database.close()


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.005)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def name(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().split(b"\0")[0].decode()


class Job:
    """The tasks t1 ... tN, run again and again on one journal until they have ended."""

    number = 0

    def __init__(self, count, *options):
        Job.number += 1  # a disk that needs no time brings other orders of events than a slow one
        fast = "/dev/shm" if Job.number % 2 and os.access("/dev/shm", os.W_OK) else None
        self.dir = tempfile.mkdtemp(dir=fast)
        self.journal = self.dir + "/job.db"
        self.history = self.dir + "/history"
        self.count = count
        self.names = [f"t{i}" for i in range(1, count + 1)]
        self.options = options
        self.shown = []  # what standard output showed, run by run
        self.runs = 0
        for name in self.names:
            self.note(f"submit {name}")
            self.note(f"accept {name}")

    def remove(self):
        shutil.rmtree(self.dir)

    def note(self, text):
        with open(self.history, "a", encoding="ascii") as file:
            file.write(f"{time.monotonic_ns()} {text}\n")

    def run(self, *more, program=FAULTY, kill_after=None, **environment):
        """One run, from the beginning or resumed; what it told goes into the history. kill_after:
        seconds until it is killed, if it still runs."""
        self.runs += 1
        events = f"{self.dir}/events-{self.runs}"
        resume = ["--resume"] if os.path.exists(self.journal) else []
        words = [program, "run", "-j3", "--quiet", "--journal", self.journal, *resume,
                 "--events", events, *self.options, *more, WORKER, self.history, ":::", *self.names]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env={**ENVIRONMENT, **environment}) as run:
            try:
                out, err = run.communicate(timeout=kill_after or 120 * PATIENCE)
            except subprocess.TimeoutExpired:
                run.kill()
                out, err = run.communicate()
        done = subprocess.CompletedProcess(words, run.returncode, out, err)
        self.shown.append(out.decode().split("\n")[:-1])
        for name, outcome in self.told(events):
            self.note(f"outcome {name} is={outcome}")
        return done

    def told(self, path):
        """Names and outcomes; the last line may have been cut off by the kill. That an input is
        skipped tells its outcome, too: perhaps for the first time."""
        if not os.path.exists(path):
            return
        with open(path, encoding="utf-8") as file:
            lines = [line for line in file if line.endswith("\n")]
        for event in map(json.loads, lines):
            if event["type"] in ("task.ended", "task.skipped"):
                yield self.names[event["seq"] - 1], event["outcome"]

    def ask(self, question):
        database = sqlite3.connect(self.journal)
        try:
            return database.execute(question).fetchall()
        finally:
            database.close()

    def ended(self):
        """The tasks that the journal holds as ended."""
        if not os.path.exists(self.journal):
            return set()
        rows = self.ask("SELECT command FROM task WHERE outcome IS NOT NULL")
        return {command.split(" ")[-1] for command, in rows}

    def starts(self):
        counts = dict.fromkeys(self.names, 0)
        with open(self.history, encoding="ascii") as file:
            for line in file:
                words = line.split(" ")
                if words[1] == "start":
                    counts[words[2]] += 1
        return counts

    def judge(self, effects):
        """Histcheck's verdict: None, or what it found."""
        self.note("end")
        done = subprocess.run([sys.executable, HISTCHECK, "--resumed", "--effects", effects,
                               self.history], capture_output=True, text=True, check=False)
        return None if done.returncode == 0 else done.stdout + done.stderr

    def is_sound(self):
        """The database as SQLite sees it, and its account."""
        return (self.ask("PRAGMA integrity_check") == [("ok",)] and
                self.ask("SELECT count(*) FROM run WHERE begun < ok + failed + cancelled + timeout "
                         "+ lost OR (ended_ns NOTNULL AND begun > ok + failed + cancelled + "
                         "timeout + lost)") == [(0,)] and
                self.ask("SELECT count(*) FROM run WHERE id = (SELECT max(id) FROM run) AND begun "
                         "<> (SELECT count(*) FROM task WHERE task.run = run.id)")[0][0] == 0)
