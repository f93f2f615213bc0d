"""What the metadata in pyproject.toml can't say: nothing yet."""

from setuptools import setup

setup()
