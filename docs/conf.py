"""How the site is built: `make site`. Pages are Markdown (MyST), notebooks are run, docstrings make the reference.

Warnings are errors. Nothing is fetched: formulas become MathML, the board is copied beside the pages.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext")]
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MMWAVE_NUMBA"] = os.environ.get("MMWAVE_NUMBA", "0")  # notebooks are too short to pay for compiling

from mmwave_gym.version import __version__  # noqa: E402

project = "mmwave-gym"
author = "The mmwave-gym developers"
copyright = "2026, the mmwave-gym developers"
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "mathml", "docstrings", "places"]
exclude_patterns = ["leaderboard/**", "_ext/**", "images/**", "**/.ipynb_checkpoints"]
default_role = "code"
toc_object_entries = False

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 4
myst_dmath_double_inline = True
suppress_warnings = ["myst.header", "myst.strikethrough", "misc.highlighting_failure", "ref.python"]

nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_inherit_docstrings = False
autodoc_mock_imports = ["benchmarl", "torchrl", "ray.rllib", "tensordict"]
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = f"mmwave-gym {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = True
