#!/usr/bin/env bash
# Install a missing program with the system's package manager, or say what is missing.
# Usage: system-package.sh WHAT APT_PACKAGE BREW_FORMULA
set -euo pipefail
what=$1 apt=$2 brew=$3

if command -v apt-get >/dev/null; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "$what is missing. Install it as root: apt-get install $apt" >&2; exit 1; }
        as_root=(sudo)
    fi
    echo "Installing $what: apt-get install $apt"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$apt" </dev/null
elif command -v brew >/dev/null; then
    echo "Installing $what: brew install $brew"
    brew install --quiet "$brew"
else
    echo "$what is missing. Install it with your system's package manager, then try again." >&2
    exit 1
fi
