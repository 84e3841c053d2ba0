"""The law of arrays: what a docstring says of arrays that a public function takes and returns, as code.

1. Every array parameter is named (by its name, or in words: "powers" for `power_mw`) in a sentence that states a shape:
   a tuple such as "(env, agent)", or "scalar", "element-wise", "same shape". What is returned has a shape in the first
   paragraph, or in a sentence that says "returns". A sentence that begins with "All" or "Both" is about every array.
   The text of the class may say it instead.
2. An array's unit follows from its name (`power_dbm`; for what is returned, that of the function), from its type
   (integers and booleans are counts, indices and masks), or from a word in such a sentence: a unit ("dB", "bit/s/Hz"),
   or a kind without unit (`UNITLESS`). `UNITLESS_NAMES` are such kinds by their names.

A parameter annotated `Any` is an array if its name has a unit or is one of `UNITLESS_NAMES`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

ARRAYS = re.compile(r"NDArray|\b(?:Float|Float64|Float32|Int|Int64|Index|Bool)Array\b|ArrayLike")
COUNTED = re.compile(r"\b(?:Int|Int64|Index|Bool)Array\b|NDArray\[np\.(?:u?int\w*|bool_?|integer|signedinteger)")
SENTENCE = re.compile(r"(?<!eq)(?<!sec)[.;]\s+|\n\s*\n")
EVERY = r"^\s*(?:all|both|shapes and units)\b"
SHAPE = re.compile(
    r"\((?:[^,()]+|\([^()]*\))?,[^()]*(?:\([^()]*\)[^()]*)*\)|\(…\)|\bshapes?\b|element.?wise|\bscalars?\b",
    re.IGNORECASE,
)
SUFFIX = re.compile(r"_(?:m|s|hz|bps|m?w|dbm?|dbi|mbps|mps|bps_hz|bits?_per_hz|m?bits|ms|rad|deg|per_s|kmh)$")
UNIT = re.compile(
    r"(?<![\w/])(?:dB[mi]?|m?W|m|m/s|km/h|m²|s|ms|k?Hz|[MGk]?bit(?:/s)?(?:/Hz)?|1/s|%|rad|metres|degrees|steps|slots)(?![\w/])|\bln\b|"
    r"\bin seconds\b|\bunits?\b"
)
UNITLESS = re.compile(
    r"\b(?:index|indices|ranks?|masks?|counts?|numbers?|probabilit\w+|chances?|ratios?|shares?|linear|weights?|gradients?|"
    r"observations?|actions?|choices?|features?|logits?|scores?|distribution|laws?|uniform|normals?|integers?|bool|"
    r"utilit\w+|rewards?|normali[sz]ed|whether|SINRs?|one-hot|inputs|True)\b",
    re.IGNORECASE,
)
UNITLESS_NAMES = re.compile(
    r"^(?:(?:next_)?observations?|actions?|(?:action_)?masks?|rewards?|episode_start|logits?|weights?|probabilit\w+|\w*law|"
    r"uniforms?|(?:\w+_)?sinr|(?:\w+_)?gain|(?:\w+_)?shares?|ratio)$"
)


def arrays_of(function: Any) -> dict[str, str]:
    """Annotations of what is an array, by parameter; "return" is what is returned."""
    annotations = {name: str(kind) for name, kind in getattr(function, "__annotations__", {}).items()}
    return {name: kind for name, kind in annotations.items() if ARRAYS.search(kind) or (kind == "Any" and _known(name))}


def complaints(function: Any, described: str = "", about: str = "") -> list[str]:
    """What the law misses, such as "power_mw: shape". `about`: the text of the function's class."""
    doc = described or inspect.getdoc(function) or ""
    missed = []
    for name, kind in arrays_of(function).items():
        said = list(sentences_about(name, doc)) + list(sentences_about(name, about) if name != "return" else ())
        if not any(SHAPE.search(sentence) for sentence in said):
            missed.append(f"{name}: shape")
        known = COUNTED.search(kind) or _known(function.__name__ if name == "return" else name)
        if not known and not any(UNIT.search(sentence) or UNITLESS.search(sentence) for sentence in said):
            missed.append(f"{name}: unit")
    return missed


def _known(name: str) -> bool:
    return bool(SUFFIX.search(name) or UNITLESS_NAMES.match(name))


def sentences_about(name: str, text: str) -> Iterator[str]:
    """The sentences of a text about a parameter, or about what is returned."""
    if name == "return":
        first, _, text = text.partition("\n\n")
        yield first
        words = [EVERY, r"\breturn", r"\bresult"]
    else:
        parts = [part for part in SUFFIX.sub("", name).split("_") if len(part) > 1]
        stems = [re.escape(part[:-1] if len(part) > 3 else part) for part in parts]
        words = [EVERY, rf"\b{re.escape(name)}\b", *(rf"\b{stem}" for stem in stems)]
    about = re.compile("|".join(words), re.IGNORECASE)
    yield from (sentence for sentence in SENTENCE.split(text) if about.search(sentence))
