# SPDX-License-Identifier: MIT
"""Journals as a run would have left them, made up: for pages to be looked at."""
import os
import random
import re
import sqlite3

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECOND = 10**9
START = 1_790_000_000 * SECOND


def schema():
    """The tables, out of the header that says them."""
    with open(f"{ROOT}/src/job/journal_schema.h", encoding="utf-8") as file:
        text = file.read()
    body = text[text.index("#define RMDI_JOURNAL_SCHEMA"):]
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', body))


class Journal:
    """Tasks are added to the latest run."""

    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.db.executescript(schema())
        self.db.execute("PRAGMA application_id = 0x524d444a")
        self.db.execute("PRAGMA user_version = 1")
        self.run = self.seq = self.task = 0

    def begin(self, command="remuda run ./simulate {} ::: …", slots=4, started=START, total=None,
              skipped=0):
        self.run, self.seq = self.run + 1, 0
        self.db.execute(
            "INSERT INTO run (id, version, host, boot, pid, dir, command, slots, cpus, "
            "memory_bytes, at_most_once, started_ns, total, skipped) "
            "VALUES (?, '0.1.0', 'wrangler', 'b', 4711, '/home/maria/proteins', ?, ?, 8, ?, 0, ?, "
            "?, ?)", (self.run, command, slots, 16 << 30, started, total, skipped))
        return started

    def add(self, command, slot, start, length, outcome="ok", detail=None, tail=None, memory=20 << 20,
            cpu=.9, number=1, **columns):
        """A task of one attempt; outcome None: it was begun and has no end."""
        self.task += 1
        self.seq += 1
        end = start + length
        self.db.execute(
            "INSERT INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self.task, b"k" * 32, outcome, self.run, self.seq, start, outcome and end,
             1 if outcome else 0, detail, command))
        if outcome:
            row = {"queued_ns": start - 300_000, "started_ns": start,
                   "executed_ns": start + min(length // 4, 700_000),
                   "exited_ns": end - min(length // 4, 400_000), "ended_ns": end, "pid": 99,
                   "status": 0 if outcome == "ok" else 3, **columns}
            self.db.execute(
                "INSERT INTO attempt (task, run, number, slot, pid, outcome, status, signal, "
                "detail, queued_ns, started_ns, executed_ns, exited_ns, ended_ns, user_ns, "
                "system_ns, memory_bytes, in_blocks, out_blocks, major_faults, switches, "
                "sent_bytes, out_bytes, err_bytes, output, err_tail) VALUES (?, ?, ?, ?, ?, ?, ?, "
                "NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0, 'group', ?)",
                (self.task, self.run, number, slot, row["pid"], outcome, row["status"], detail,
                 row["queued_ns"], row["started_ns"], row["executed_ns"], row["exited_ns"],
                 row["ended_ns"], int(length * cpu * .9), int(length * cpu * .1), memory, tail))
        self.db.execute(f"UPDATE run SET begun = begun + 1{f', {outcome} = {outcome} + 1' if outcome else ''}"
                        " WHERE id = ?", (self.run,))
        return end

    def end(self, ended, status=0, detail=None):
        self.db.execute("UPDATE run SET ended_ns = ?, status = ?, detail = ? WHERE id = ?",
                        (ended, status, detail, self.run))

    def close(self):
        self.db.commit()
        self.db.close()


def usual(journal, tasks=300, slots=4, scale=1.0, seed=7, started=START, killed=False, skipped=0):
    """A run as they are: varied, a few of the tasks fail or take too long."""
    dice = random.Random(seed)
    journal.begin(f"remuda run -j{slots} --timeout 9 ./fold --seed 42 --model 'large <v2>' {{}} "
                  f"::: proteins/*.fasta", slots, started, tasks + skipped, skipped)
    free = [started + dice.randrange(2_000_000) for _ in range(slots)]
    for i in range(tasks):
        slot = min(range(slots), key=free.__getitem__)
        length = int(dice.lognormvariate(0, .7) * scale * SECOND)
        outcome, detail, tail = "ok", None, None
        if dice.random() < .012:
            outcome, detail, length = "timeout", "over its limit of 9 s", int(9 * scale * SECOND)
            tail = b"fold: iteration 4000, residual 0.31\nfold: iteration 5000, residual 0.30\n"
        elif dice.random() < .02:
            outcome, detail = "failed", "exit status 3"
            tail = f"fold: proteins/P{i:05}.fasta:12: unknown residue 'B'\n".encode() * 3
        if killed and i >= tasks - slots:
            outcome = None
        name = f"./fold --seed 42 --model 'large <v2>' proteins/P{i + skipped:05}.fasta"
        end = journal.add(name, slot + 1, free[slot], length, outcome, detail, tail,
                          int(dice.lognormvariate(17.5, .6)), dice.uniform(.6, 1))
        free[slot] = end + dice.randrange(300_000, 3_000_000)
    if not killed:
        journal.end(max(free), 4)
    return max(free)
