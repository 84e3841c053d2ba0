"""Formulas as MathML, which browsers show by themselves: no script, no network."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import latex2mathml


def _markup(self: Any, node: Any, block: bool) -> None:
    made = str(latex2mathml.tex2mathml(node.astext(), as_block=block))
    self.body.append(f'<div class="formula">{made}</div>' if block else made)
    raise nodes.SkipNode


def inline(self: Any, node: Any) -> None:
    _markup(self, node, block=False)


def block(self: Any, node: Any) -> None:
    _markup(self, node, block=True)


def setup(app: Any) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
