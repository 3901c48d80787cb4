#!/usr/bin/env bash
# See to it that Prometheus and its promtool are installed. Neither is started: the tests start their own.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v prometheus >/dev/null && command -v promtool >/dev/null && exit 0
scripts/system-package.sh Prometheus prometheus prometheus
