# Needs only python3 and make: each target creates the virtual environment that it uses.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# uv uses the machine's own certificates, as pip does.
export UV_SYSTEM_CERTS ?= 1
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt

.PHONY: serve test test-avx2 check docs bench bench-gallery trust openapi data clean image-check replicas-check

serve: $(VENV)/.serve ## install what serving needs and start the service
	$(BIN)/facetwin serve $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))

test: $(VENV)/.dev ## run every test
	$(BIN)/python -m pytest

test-avx2: $(VENV)/.dev ## the tests of model/ again, without AVX-512
	ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 $(BIN)/python -m pytest tests/model

check: $(VENV)/.dev ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.dev ## build the documentation as a web site: build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

bench: $(VENV)/.dev .venv-peers/.done ## measure the service on this machine, beside other libraries
	$(BIN)/python -m benchmarks

bench-gallery: $(VENV)/.dev ## measure galleries of up to a million templates, beside other libraries
	$(BIN)/python -m benchmarks.gallery

INPUTS ?= 20000
trust: $(VENV)/.dev ## attack the service and print what was lost and leaked (INPUTS=1000000 damaged photos for the whole of it)
	$(BIN)/python -m benchmarks.trust --inputs $(INPUTS)

openapi: $(VENV)/.dev ## write docs/openapi*.json again, after a change of the API
	$(BIN)/python -m scripts.openapi

data: $(VENV)/.dev ## download LFW to data/ (180 MB, checked by hash)
	$(BIN)/python -m training download data

image-check: ## build the image and send it requests, with or without a container engine
	sh scripts/image-check.sh

replicas-check: $(VENV)/.dev ## run docker-compose.yml's replicas without an engine, and kill one of them under load
	sh scripts/replicas-check.sh

clean: ## remove the environments and all build products; keeps data/, where the gallery is
	rm -rf $(VENV) .venv-peers build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info clients/python/build clients/python/src/*.egg-info
	find app model training tests benchmarks clients -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "facetwin needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.serve: pyproject.toml clients/python/pyproject.toml constraints.txt | $(BIN)/uv
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml clients/python/pyproject.toml constraints.txt | $(BIN)/uv
	@$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.serve

# A separate environment: dlib needs an older setuptools, and its wheel has another name.
.venv-peers/.done: | $(BIN)/uv
	@$(PYTHON) -m venv .venv-peers
	@$(BIN)/uv pip install --quiet --python .venv-peers/bin/python "setuptools<81" dlib-bin==20.0.1.post1 click numpy pillow \
	  face_recognition_models==0.3.0
	@$(BIN)/uv pip install --quiet --python .venv-peers/bin/python --no-deps face_recognition==1.3.0
	@touch $@
