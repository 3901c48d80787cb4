#!/usr/bin/env bash
# Create .venv, or mend one that does not work (half made, or its Python is gone). Usage: make-venv.sh [PYTHON]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-}

if .venv/bin/python -m pip --version >/dev/null 2>&1; then
    exit 0
fi
if [ -z "$python" ]; then
    echo "Python 3.10 or later is missing. Install one, or name one: make PYTHON=/path/to/python …" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    scripts/system-package.sh "Python's venv module" python3-venv python
fi
echo "Creating .venv with $("$python" --version)"
"$python" -m venv --clear .venv
