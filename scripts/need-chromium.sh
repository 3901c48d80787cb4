#!/usr/bin/env bash
# See to it that a Chromium is installed: the tests of the dashboard steer one.
set -euo pipefail
cd "$(dirname "$0")/.."
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
scripts/system-package.sh Chromium chromium chromium
