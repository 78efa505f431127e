# SPDX-License-Identifier: MIT
"""multiprocessing.Pool: process.py parked|big TIMES: a round trip in us; many TASKS: tasks/s with
chunks of one."""
import multiprocessing
import statistics
import sys
import time


def echo(x):
    return x


def trips(pool, argument, times, nap):
    values = []
    for _ in range(times):
        time.sleep(nap)
        begin = time.perf_counter()
        pool.apply(echo, (argument,))
        values.append((time.perf_counter() - begin) * 1e6)
    return statistics.median(values) if nap else statistics.mean(values)


def main():
    what, n = sys.argv[1], int(sys.argv[2])
    with multiprocessing.Pool(2 if what == "many" else 1) as pool:
        pool.map(echo, range(100), 1)
        if what == "parked":
            print(trips(pool, bytes(64), n, 0.001))
        elif what == "big":
            print(trips(pool, bytes(1 << 20), n, 0))
        else:
            begin = time.perf_counter()
            pool.map(echo, range(n), 1)
            print(n / (time.perf_counter() - begin))


if __name__ == "__main__":
    main()
