# Installs a layer's requirements.txt for the Python and platform that Lambda has, on any host, without Docker.
# The laptop cloud sets both variables: its functions run on this host's Python.
PYTHON_VERSION ?= 3.13
PYTHON_PLATFORM ?= aarch64-manylinux_2_28
UV ?= $(firstword $(wildcard ../../.venv/bin/uv) uv)
TARGET = $(ARTIFACTS_DIR)/python

define install
	$(UV) pip install --quiet --no-deps --only-binary :all: --target "$(TARGET)" \
	  --python-version $(PYTHON_VERSION) $(if $(PYTHON_PLATFORM),--python-platform $(PYTHON_PLATFORM)) -r requirements.txt
	rm -rf "$(TARGET)/bin" "$(TARGET)"/.lock
	find "$(TARGET)" -type d \( -name tests -o -name test -o -name __pycache__ \) -prune -exec rm -rf {} +
	find "$(TARGET)" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.c' -o -name '*.cpp' -o -name 'RECORD' \) -delete
endef
