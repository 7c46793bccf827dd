#!/usr/bin/env bash
# What the tests need beyond the set-up: a browser, in which they use the chat page as its users do.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/apt.sh

command -v chromium >/dev/null || apt_install chromium
command -v chromium >/dev/null || fail "no chromium; on Ubuntu put one that is no snap on the PATH, under this name"
