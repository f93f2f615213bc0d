"""Mutation testing: one small mistake at a time, and whether a test notices.

    python3 -m mutation [--jobs N] [MODULE ...]

The mistakes are those of mutmut, and two more.  None is written to a file: the tests
are collected once, and each mistake is made in a fork of that process.
"""
