# SPDX-License-Identifier: MIT
"""Runs the unittest cases of a script and reports them as the C kit does, so that tools/check
counts and names them alike: `sys.exit(kit_unittest.main())`."""
import unittest


def name(case):
    """A subtest has no name of its own: its case's."""
    return getattr(case, "test_case", case).id().split(".")[-1]


def main():
    result = unittest.main(exit=False).result
    bad = {name(case) for case, _ in result.failures + result.errors}
    skipped = {name(case): cause for case, cause in result.skipped}
    for case, cause in skipped.items():
        print(f"skip  {case}: {cause}")
    for case in sorted(bad):
        print(f"FAIL  {case}")
    passed = result.testsRun - len(bad) - len(skipped)
    print(f"{passed} passed, {len(bad)} failed, {len(skipped)} skipped")
    if bad or not result.testsRun:
        return 1
    return 0 if passed else 77
