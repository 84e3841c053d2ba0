# Everything needs only Python >= 3.11 and make: the first target that is asked for sets up .venv.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= runs/leaderboard
SUITE ?= all
READY := .venv/.ready

.PHONY: setup test lint leaderboard city melbourne train bench nightly clients site docs release-check clean

setup: $(READY)

# OMP threads fight each other when tests and runs are parallel; one each is faster on any number of cores.
export OMP_NUM_THREADS ?= 1

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "mmwave-gym needs Python 3.11 or newer; name one with make PYTHON=python3.12"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

test: setup
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m "not long"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Shows committed rows that are current and plays the rest, of suites v1 and papers (SUITE=v1: of that one only).
# REPLAY=1: plays all. QUICK=1: plays a few episodes and one training seed each. FULL=1: also plays tasks and agents that
# are marked as expensive, and episodes that committed rows lack.
# MMWAVE_DATA=folder: also the tasks on measured data (docs/channel_files.md).
leaderboard: setup
	$(BIN)/mmwave-gym leaderboard --out $(OUT) $(addprefix --suite ,$(SUITE)) $(if $(REPLAY),--replay) $(if $(QUICK),--quick) $(if $(FULL),--full)

# MMWAVE_DATA=folder make city: a morning's trams in Helsinki, every agent ranked on them, a picture and an animation.
CITY := runs/city
city: setup
	@mkdir -p $(CITY)
	$(BIN)/mmwave-gym city gtfs:helsinki --out $(CITY)/helsinki.npz --picture $(CITY)/helsinki.png
	$(BIN)/mmwave-gym render MmwaveAssociation-v0 --agent msr --set city=$(CITY)/helsinki.npz --out $(CITY)/helsinki.gif
	$(BIN)/mmwave-gym leaderboard --task association/helsinki --out $(CITY) $(if $(QUICK),--quick)

# MMWAVE_DATA=folder make melbourne: the real sites of one operator clustered, powered (AGENT=unfolded) and drawn.
melbourne: setup
	@mkdir -p runs
	$(BIN)/mmwave-gym sites sites:melbourne --agent $(or $(AGENT),unfolded) --out runs/melbourne.png

# One seed of one agent, as an example; `python -m train.ppo --help` tells the rest.
train: setup
	$(BIN)/python -m train.ppo MmwaveHandover-v0 --task handover/a1-beta25 $(ARGS)

# Other packages are installed in .venv/peers. WRITE=docs/speed.md: puts the tables there, and what ceilings cost on their page.
bench: setup
	$(BIN)/python -m bench $(if $(WRITE),--write $(WRITE))
	$(BIN)/python -m bench.scaling $(if $(WRITE),--write $(WRITE))
	$(BIN)/python -m bench.ceilings $(if $(WRITE),--write docs/ceilings.md)

# Hours: every case of the tests that `make test` samples, 10,000 configurations drawn over what the keywords declare, and 10^8 agent-steps, each one checked.
nightly: setup
	$(BIN)/python -m pytest -m "long or sample"
	$(BIN)/python -m bench.configurations
	$(BIN)/python -m bench.endurance

# RLlib, TorchRL and others on every environment, each in an environment of its own, into docs/clients.md. QUICK=1: two.
clients: setup
	$(BIN)/python -m clients $(if $(QUICK),--quick) $(ARGS)

# The site: docs/*.md and all docstrings, notebooks are run, warnings are errors. Open runs/site/index.html.
site: setup
	$(BIN)/python docs/renew.py
	$(BIN)/mmwave-gym leaderboard --suite all --as-committed --out runs/board
	tar -C runs/board --exclude=./rows --exclude='leaderboard.*' -cf - . | tar -C docs/leaderboard -xf -
	$(BIN)/python -m sphinx -W --keep-going -q -j 2 -b html -d runs/site-cache docs runs/site
	@echo "runs/site/index.html"

# Pages and pictures that come from the code and the board, then the site.
docs: setup
	$(BIN)/mmwave-gym page --agents --out docs/agents
	$(BIN)/mmwave-gym page --out docs/environments
	$(BIN)/python docs/make_images.py
	$(MAKE) site

# What a release does, but for the upload: builds, installs the wheel in an empty folder, runs every block of every page.
release-check: setup
	$(BIN)/python -m pytest tests/project/test_release.py -m "long or not long" -n0

clean:
	rm -rf .venv runs dist .pytest_cache .mypy_cache .ruff_cache
