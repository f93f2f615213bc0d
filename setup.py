"""What the metadata in pyproject.toml can't say: the C twin is optional.

``TXWS_SIMPLE_SPEEDUPS=require`` makes a failing build of it an error,
``TXWS_SIMPLE_SPEEDUPS=forbid`` leaves it out.
"""

import os

from setuptools import Extension, setup

wish = os.environ.get("TXWS_SIMPLE_SPEEDUPS", "")

setup(
    ext_modules=[]
    if wish == "forbid"
    else [
        Extension(
            "txws_simple._speedups",
            ["txws_simple/_speedups.c"],
            # -O3 is what makes the masking loop one of vector instructions.
            extra_compile_args=[] if os.name == "nt" else ["-O3"],
            optional=wish != "require",
        )
    ]
)
