# SPDX-License-Identifier: MIT
"""How much of a sequence is G or C, in percent: a worker in Python."""
from multiprocessing.connection import Connection

tasks = Connection(3)
tasks.send_bytes(b"remuda 1 raw")
try:
    while True:
        sequence = tasks.recv_bytes()
        share = sum(map(sequence.count, b"GC")) / len(sequence) if sequence else 0
        tasks.send_bytes(b"+%.1f" % (100 * share))
except EOFError:
    pass
