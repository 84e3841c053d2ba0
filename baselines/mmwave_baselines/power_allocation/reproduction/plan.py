"""Settings of the reproduction of arXiv 1804.05757."""

from __future__ import annotations

SETTINGS = ("authors", "repaired", "text")
VARIANT_SIZES = (2, 8, 14)
