# SPDX-License-Identifier: MIT
"""What bench/foreign.c calls: the function of bench/peers/foreign.py, as a worker of Remuda."""
from multiprocessing.connection import Connection


def shout(text):
    return text.upper()


tasks = Connection(3)
tasks.send_bytes(b"remuda 1 raw")
try:
    while True:
        tasks.send_bytes(b"+" + shout(tasks.recv_bytes()))
except EOFError:
    pass
