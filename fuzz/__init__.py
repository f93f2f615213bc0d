"""Coverage-guided fuzzing with atheris (libFuzzer for Python).

    python3 -m fuzz [--seconds 60] [--hours H] [TARGET ...]

Each target is a module with one function, ``check``, that is given any bytes and
raises where something does not hold.  These know nothing of atheris.
"""
