#!/usr/bin/env bash
# Build the wheel, install it in an environment of its own, and run some of its tests there: what users get is what works.
set -euo pipefail
cd "$(dirname "$0")/.."
place=$(mktemp -d "${TMPDIR:-/tmp}/distributedq-wheel.XXXXXX")
trap 'rm -rf "$place"' EXIT

echo "Building the wheel"
.venv/bin/python -m hatchling build -t wheel -d "$place" >/dev/null
wheel=$(echo "$place"/distributedq-*.whl)

echo "Installing $(basename "$wheel") in an environment of its own"
.venv/bin/python -m venv "$place/venv"
python=$place/venv/bin/python
pip=("$python" -m pip install --quiet --disable-pip-version-check)
"${pip[@]}" --require-hashes -r requirements-dev.txt
# Without an index: the locked versions have to satisfy what the wheel itself asks for.
"${pip[@]}" --no-index "$wheel[all]"

cp pyproject.toml "$place"
cd "$place"
"$python" -c '
import pathlib, sys, distributed_queue
home = pathlib.Path(distributed_queue.__file__).resolve()
sys.exit(0 if pathlib.Path(sys.prefix).resolve() in home.parents else f"imported from {home}, not from the wheel")'
venv/bin/dq version
venv/bin/distributedq --help >/dev/null
"$python" -m pytest -q -n auto -p no:cacheprovider -c pyproject.toml \
    --pyargs distributed_queue.tests.unit distributed_queue.tests.conformance
