#!/usr/bin/env bash
# See to it that a redis-server of version 6.2 or later is installed. It is not started: the tests start their own.
set -euo pipefail
cd "$(dirname "$0")/.."

# Debian's package puts it where root's PATH has it, but not everybody's.
export PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v redis-server >/dev/null || scripts/system-package.sh redis-server redis-server redis

version=$(redis-server --version | sed -n 's/.* v=\([0-9]*\.[0-9]*\).*/\1/p')
major=${version%%.*} minor=${version#*.}
if [ "$major" -lt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -lt 2 ]; }; then
    echo "redis-server is version $version; the tests need 6.2 or later. Put a newer one first in PATH." >&2
    exit 1
fi
