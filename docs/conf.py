"""How the documentation is built: ``sphinx-build -W -n docs docs/_build``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import txws_simple

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "txws_simple"
author = "the txws_simple authors"
version = release = "0.1.0"

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "zope_interface"]
# Those of the benchmarks are parts of a page.
exclude_patterns = ["_build", "performance/*.rst", "reliability/*.rst"]
html_theme = "furo"
html_title = "txws_simple"

# A name in single backticks is a link, in the text and in the docstrings.
default_role = "py:obj"
nitpicky = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
# What a Deferred fails with; `Raises` is what a call raises at once.
napoleon_custom_sections = [("Errors", "returns_style")]

nitpick_ignore = [
    # Twisted's own documentation is not at hand offline.
    ("py:class", "Deferred"),
    ("py:class", "twisted.internet.defer.Deferred"),
    ("py:class", "twisted.internet.interfaces.IAddress"),
    ("py:class", "twisted.application.service.Service"),
    ("py:class", "twisted.internet.interfaces.IReactorTime"),
    (
        "py:class",
        "<InterfaceClass twisted.internet.interfaces.IStreamServerEndpoint> | str",
    ),
    ("py:class", "twisted.internet.protocol.Factory"),
    ("py:class", "twisted.python.failure.Failure"),
    ("py:class", "IReactorTime"),
    ("py:class", "<InterfaceClass twisted.internet.interfaces.IReactorTime>"),
    ("py:class", "<InterfaceClass twisted.internet.interfaces.IStreamServerEndpoint>"),
    ("py:class", "IProtocolFactory"),
    ("py:class", "<InterfaceClass twisted.internet.interfaces.IProtocolFactory>"),
    # Shared by the connections of a factory, and nothing for an application.
    ("py:class", "txws_simple.counters.Tally"),
    ("py:class", "txws_simple.pinger.Pinger"),
    ("py:class", "IAddress"),
    # Nor is Python's.
    ("py:class", "Callable"),
    ("py:class", "Sequence"),
    ("py:class", "collections.abc.Callable"),
    ("py:class", "collections.abc.Iterable"),
    ("py:class", "collections.abc.Mapping"),
    ("py:class", "collections.abc.Sequence"),
]


def setup(app: Sphinx) -> None:
    """Add what this documentation needs beyond Sphinx."""
    app.connect("missing-reference", _resolve_public)
    app.connect("env-check-consistency", _check_all_are_documented)


def _resolve_public(app: Sphinx, env: Any, node: Any, content: Any) -> Any:
    """A public name, said with the module that it was defined in."""
    name = node.get("reftarget", "").rpartition(".")[2]
    # The keywords of a call are the fields of Options, for type checkers.
    name = "Options" if name == "Keywords" else name
    if name not in txws_simple.__all__:
        return None
    return env.domains["py"].resolve_xref(
        env,
        node["refdoc"],
        app.builder,
        node["reftype"],
        f"txws_simple.{name}",
        node,
        content,
    )


def _check_all_are_documented(app: Sphinx, env: Any) -> None:
    """Warn, which ends the build, of a public name that the reference lacks."""
    from sphinx.util import logging

    documented = env.domains["py"].objects
    for name in txws_simple.__all__:
        if f"txws_simple.{name}" not in documented:
            logging.getLogger(__name__).warning("%s is not documented", name)
