"""Pages explain their words: short forms where they are used first, a glossary for both fields, a formula an agent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmwave_gym.agents.registry import agents
from mmwave_gym.benchmark.agents_page import KINDS, agents_page, kind_of, spec_of, summary
from mmwave_gym.benchmark.words import SHORT_FORMS, explained, headed, key, undefined
from mmwave_gym.core import rooms

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *(p for p in DOCS.rglob("*.md") if p.parent.name not in ("leaderboard", "generated"))]
SCENARIOS = [room.name for room in rooms.rooms().values() if room.package.startswith("mmwave_gym.")]


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda p: str(p.relative_to(ROOT)))
def test_short_forms_are_explained_where_they_are_used_first(page: Path) -> None:
    missing = undefined(page.read_text("utf-8"))
    unknown = [word for word in missing if word not in SHORT_FORMS]
    assert not unknown, "write it out, or add it to mmwave_gym/benchmark/words.txt"
    assert not missing, f"write it out, or give the page a line of short forms: `mmwave-gym page {page}`"


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("A UE moves.", ["UE"]),
        ("A user equipment (UE) moves. The UE stops.", []),
        ("UEs (user equipments) move.", []),
        ("SINR is a ratio.", []),
        ("`UE` in code, $SNR$ in a formula\n\n```\nRSRP\n```\n<!-- BS -->", []),
        ("# UE in a title\n\nNothing else.", []),
        ("JSON and A3 are names.", []),
        ("An XQZ.", ["XQZ"]),
        ("By 3GPP. By 3GPP again.", ["3GPP"]),
        ("Both UEs and the UE.", ["UE"]),
    ],
)
def test_what_is_not_explained_is_found(text: str, missing: list[str]) -> None:
    assert undefined(text) == missing


def test_a_page_gets_a_line_of_its_short_forms() -> None:
    page = "<!-- a -->\n\n# Title of UEs\n\nA UE hears SNR. An XQZ does not.\n"
    made = headed(page)
    assert "*Short forms: signal to noise ratio (SNR), user equipment (UE).*" in made
    assert undefined(made) == ["XQZ"]
    assert explained(made) == made
    assert headed("# T\n\nNothing.\n") == "# T\n\nNothing.\n"
    assert "3rd Generation Partnership Project (3GPP), technical report of 3GPP (TR)" in key("See TR 38.901.")


def test_short_forms_stand_for_words_that_need_no_line_themselves() -> None:
    for short, full in SHORT_FORMS.items():
        assert undefined(f"{key(f'An {short}.')} It.") == [], (short, full)


def test_the_glossary_goes_both_ways() -> None:
    text = (DOCS / "glossary.md").read_text("utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    terms = [re.findall(r"^(?! |```|#)(\S[^\n]*)\n  \S", part, re.MULTILINE) for part in parts]
    assert [part.partition("\n")[0].split(",")[0] for part in parts] == [
        "Wireless words", "RL words", "This project's own words"
    ]  # fmt: skip
    assert len(terms[0]) >= 30
    assert len(terms[1]) >= 30
    assert len(set().union(*terms)) == sum(map(len, terms)) >= 60
    named = " ".join(term for part in terms for term in part)
    for word in ("UE", "RSRP", "SINR", "LOS", "NLOS", "UDN", "PPO", "DQN", "MDP", "GAE"):
        assert word in named, word


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_agent_has_a_formula_and_a_source(scenario: str) -> None:
    for name in agents(scenario):
        spec = spec_of(name, scenario)
        assert spec.get("formula"), f"{scenario}/{name}: agents.toml beside its code has no formula"
        assert spec.get("source"), f"{scenario}/{name}: agents.toml beside its code has no source"
        assert spec["formula"].count("{") == spec["formula"].count("}")


def test_formulas_become_mathml() -> None:
    latex2mathml = pytest.importorskip("docutils.utils.math.latex2mathml")
    texts = [spec_of(name, scenario)["formula"] for scenario in SCENARIOS for name in agents(scenario)]
    texts += [
        found for page in PAGES for found in re.findall(r"^\$\$\n(.*?)\n\$\$$", page.read_text("utf-8"), re.M | re.S)
    ]
    assert len(texts) > 150
    for text in texts:
        assert "<math" in str(latex2mathml.tex2mathml(text, as_block=True))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_pages_of_agents_are_up_to_date(scenario: str) -> None:
    assert (DOCS / "agents" / f"{scenario}.md").read_text("utf-8") == agents_page(scenario), "run `make docs`"


def test_an_agent_of_a_stranger_has_a_page_without_a_formula() -> None:
    class Mine:
        """Takes the first cell (eq. 3 of a paper). And more of it."""

    assert summary(Mine) == "Takes the first cell (eq. 3 of a paper)."
    assert kind_of(Mine) == "rule"
    assert set(KINDS) >= {"rule", "learned", "ceiling", "floor"}
