# SPDX-License-Identifier: MIT
"""concurrent.futures.ProcessPoolExecutor: foreign.py many TASKS: tasks/s of two workers, with chunks
of one; trip TIMES: a round trip in us. program TASKS: `true`, run by two threads: tasks/s."""
import concurrent.futures
import subprocess
import sys
import time


def shout(text):
    return text.upper()


def many(pool, n):
    begin = time.perf_counter()
    for _ in pool.map(shout, [b"hello"] * n, chunksize=1):
        pass
    return n / (time.perf_counter() - begin)


def trip(pool, n):
    begin = time.perf_counter()
    for _ in range(n):
        pool.submit(shout, b"hello").result()
    return (time.perf_counter() - begin) / n * 1e6


def run_true(text):
    return subprocess.run(["true"], input=text, capture_output=True, check=True).stdout


def programs(n):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        begin = time.perf_counter()
        for _ in pool.map(run_true, [b"hello"] * n):
            pass
        return n / (time.perf_counter() - begin)


def main():
    what, n = sys.argv[1], int(sys.argv[2])
    if what == "program":
        print(programs(n))
        return
    with concurrent.futures.ProcessPoolExecutor(2 if what == "many" else 1) as pool:
        many(pool, 100)
        print(many(pool, n) if what == "many" else trip(pool, n))


if __name__ == "__main__":
    main()
