# SPDX-License-Identifier: MIT
"""The same, with several arguments in JSON: how much of a sequence is one of these letters."""
import json
from multiprocessing.connection import Connection

tasks = Connection(3)
tasks.send_bytes(b"remuda 1 json")
try:
    while True:
        task = json.loads(tasks.recv_bytes())
        sequence, letters = task["args"][0], task["named"].get("letters", "GC")
        answer = {"result": sum(map(sequence.count, letters))} if sequence else {"error": "no sequence"}
        tasks.send_bytes(json.dumps({"id": task["id"], **answer}).encode())
except EOFError:
    pass
