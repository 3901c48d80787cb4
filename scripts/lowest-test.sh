#!/usr/bin/env bash
# Run a part of the tests on the lowest versions that pyproject.toml allows: what it claims is what works.
set -euo pipefail
cd "$(dirname "$0")/.."
place=$(mktemp -d "${TMPDIR:-/tmp}/distributedq-lowest.XXXXXX")
trap 'rm -rf "$place"' EXIT

uv=(.venv/bin/python -m uv)
.venv/bin/python -m venv "$place/venv"
python=$place/venv/bin/python
echo "Installing the lowest versions"
"${uv[@]}" pip install --quiet --python "$python" --resolution lowest-direct ".[all]"
# The tools that the tests themselves need; they leave what is installed as it is.
"${uv[@]}" pip install --quiet --python "$python" httpx hypothesis openapi-spec-validator packaging \
    pytest pytest-asyncio pytest-randomly pytest-timeout pytest-xdist
"${uv[@]}" pip list --quiet --python "$python" | grep -iE '^(msgspec|apsw|redis|hiredis|fastapi|uvicorn|click|rich) '

cp pyproject.toml "$place"
cd "$place"
# The benchmarks are not part of the package.
"$python" -m pytest -q -n auto -p no:cacheprovider -c pyproject.toml --ignore-glob="*/test_benchmarks.py" --pyargs \
    distributed_queue.tests.unit distributed_queue.tests.conformance distributed_queue.tests.surfaces
