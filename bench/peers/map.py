# SPDX-License-Identifier: MIT
"""multiprocessing.Pool.imap over tiny tasks: map.py one TASKS: chunks of one, its default; chunks
TASKS: 64 chunks for each worker, as mpire cuts them. Tasks/s."""
import multiprocessing
import sys
import time

WORKERS = 2


def echo(x):
    return x


def main():
    what, n = sys.argv[1], int(sys.argv[2])
    with multiprocessing.Pool(WORKERS) as pool:
        pool.map(echo, range(100), 1)
        begin = time.perf_counter()
        size = 1 if what == "one" else max(1, n // (WORKERS * 64))
        total = sum(pool.imap(echo, range(n), size))
        print(n / (time.perf_counter() - begin))
        assert total == n * (n - 1) // 2


if __name__ == "__main__":
    main()
