"""The table of libraries: how cells are written, and, left to make nightly, the two smallest libraries themselves."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from clients import __main__ as clients
from clients.probing import CASES, PLAIN, acts_alike, run
from mmwave_gym.agents.formats.described import describe
from mmwave_gym.core.registration import entries

TOLD = [
    {"case": "A", "form": "single", "ok": True, "error": ""},
    {"case": "B", "form": "single", "ok": False, "error": "KeyError: 'a|b'"},
    {"case": "B", "form": "aec", "ok": True, "error": ""},
]


def test_a_red_cell_says_why_and_links_to_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clients.cell("skrl", "aec", TOLD) == "1 of 1"
    assert clients.cell("skrl", "parallel", TOLD) == "–"
    assert clients.cell("skrl", "single", TOLD) == "1 of 2<br>B: KeyError: 'a/b'"
    assert clients.ours({"skrl": TOLD}, {"skrl": "it broke"}) == [
        "skrl, B, single: KeyError: 'a|b'",
        "skrl, example: it broke",
    ]
    monkeypatch.setitem(clients.FAULTS, ("skrl", "B", "single"), ("theirs", "https://example.org/1"))
    assert clients.cell("skrl", "single", TOLD) == "1 of 2<br>B: [theirs](https://example.org/1)"
    assert clients.ours({"skrl": TOLD}, {"skrl": ""}) == []


def test_a_run_of_one_library_leaves_the_rows_of_the_others() -> None:
    skrl, jax = (clients.row(name, TOLD, "") for name in ("skrl", "jax"))
    text = f"before\n{clients.BEGIN}\n{clients.END}\nafter\n"
    one = clients.page(text, {"skrl": skrl})
    both = clients.page(one, {"jax": jax})
    assert both == f"before\n{clients.BEGIN}\n{clients.HEAD}{jax}{skrl}{clients.END}\nafter\n"
    assert clients.page(both, {"jax": jax.replace("1 of 2", "2 of 2")}).count("2 of 2") == 1


def test_a_probe_tells_another_episode_and_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    class Probe:
        @staticmethod
        def single(case):  # type: ignore[no-untyped-def]
            trace = PLAIN["single"](case)
            if case is CASES[0]:
                raise KeyError("final_observation")
            return trace if case is not CASES[1] else trace[:-1]

    run(Probe)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CASES)
    assert '"ok": false, "error": "KeyError: \'final_observation\'"' in lines[0]
    assert '"ok": false, "error": "another episode than without it"' in lines[1]
    assert all('"ok": true' in line for line in lines[2:])


def test_every_id_is_run() -> None:
    assert {case.env_id for case in CASES} == {entry.id for entry in entries() if entry.id.startswith("Mmwave")}


def test_every_library_has_pins_a_probe_and_its_example() -> None:
    for name, library in clients.LIBRARIES.items():
        assert clients.version(name)[0].isdigit()
        assert (clients.ROOT / "clients" / "probes" / f"{name}.py").exists()
        assert not library.example or (clients.ROOT / "examples" / library.example[0]).exists()


@pytest.mark.long
def test_the_two_smallest_play_every_environment(tmp_path: Path) -> None:
    """MMWAVE_CLIENTS names a folder of environments that were made before; without it they are made here, by PyPI."""
    assert clients.main(["--quick", "--folder", os.environ.get("MMWAVE_CLIENTS", str(tmp_path))]) == 0


def test_the_schedule_runs_every_library() -> None:
    text = (clients.ROOT / ".github" / "workflows" / "clients.yml").read_text()
    (listed,) = re.findall(r"library: \[(.*)\]", text)
    assert listed.split(", ") == list(clients.LIBRARIES)
    assert "schedule:" in text
    assert "QUICK=1" in text


def test_an_agent_that_acts_otherwise_is_told(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    case, path = CASES[0], tmp_path / "actor.pt"
    net = torch.nn.Sequential(torch.nn.Linear(12, 8), torch.nn.Tanh(), torch.nn.Linear(8, 6))
    torch.save(net.state_dict(), path)
    describe(path, case.env_id, case.one, normalised=True, activation="tanh")

    def own(observation):  # type: ignore[no-untyped-def]
        return net(torch.as_tensor(observation)).argmax(dim=1).numpy()

    assert acts_alike(case, path, own)
    assert not acts_alike(case, path, lambda observation: (own(observation) + 1) % 6)
