# Installs a layer's requirements.txt (made from its requirements.in by make lock) for the Python and platform that Lambda has, on any host, without Docker.
# The local cloud sets both variables: its functions run on this host's Python.
PYTHON_VERSION ?= 3.13
PYTHON_PLATFORM ?= aarch64-manylinux_2_28
UV ?= $(firstword $(wildcard ../../.venv/bin/uv) uv)
TARGET = $(ARTIFACTS_DIR)/python

# Lambda cannot write bytecode beside a layer's sources: without it each cold start compiles every module anew. It is the
# same on every platform, but belongs to one version of Python, so it is made where that one is found. The local cloud keeps
# its own. A layer leaves out, by a regular expression, what its functions never import.
WITHOUT_BYTECODE ?= /no-such-package/

define install
	$(UV) pip install --quiet --no-deps --require-hashes --only-binary :all: --target "$(TARGET)" \
	  --python-version $(PYTHON_VERSION) $(if $(PYTHON_PLATFORM),--python-platform $(PYTHON_PLATFORM)) -r requirements.txt
	rm -rf "$(TARGET)/bin" "$(TARGET)"/.lock
	find "$(TARGET)" -type d \( -name tests -o -name test -o -name __pycache__ \) -prune -exec rm -rf {} +
	find "$(TARGET)" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.c' -o -name '*.cpp' -o -name 'RECORD' \) -delete
endef

define bytecode
	@test -z "$(PYTHON_PLATFORM)" || { for python in ../../.venv/bin/python python$(PYTHON_VERSION) $$HOME/.pyenv/versions/$(PYTHON_VERSION).*/bin/python; do \
	  if [ "$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$(PYTHON_VERSION)" ]; then \
	    exec "$$python" -m compileall -q -j 0 --invalidation-mode unchecked-hash -x '$(WITHOUT_BYTECODE)' -s "$(TARGET)" -p /opt/python "$(TARGET)"; \
	  fi; done; \
	  echo "No Python $(PYTHON_VERSION) here: the layer goes without bytecode, and the functions' cold starts take about twice as long." >&2; }
endef
