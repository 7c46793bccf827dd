#!/usr/bin/env bash
# Sets this machine up: Python environment from the locks, Java runtime, model file, keys, databases.
# Quick when nothing changed since the last time. Everything lies in .venv, .llmops and, where they are set, LLMOPS_HOME
# and LLMOPS_LAKE; apt is used only for what is missing: a Python 3.11 or 3.12 with venv, a full Java 17+ runtime (Debian 12 and Ubuntu 24.04 are known to work).
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/apt.sh

python_works() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' >/dev/null 2>&1
}

find_python() {
    local name
    for name in python3.11 python3.12 python3 /usr/bin/python3; do
        if python_works "$name"; then command -v "$name"; return; fi
    done
    return 1
}

# Spark starts the JVM with this module, which trimmed runtimes lack.
java_works() {
    "${JAVA_HOME:+$JAVA_HOME/bin/}java" --list-modules 2>/dev/null | grep -q '^jdk.incubator.vector@'
}

install_environment() {
    local python uv=.llmops/bootstrap/bin/uv
    find_python >/dev/null || apt_install python3 python3-venv
    python=$(find_python) || fail "no Python 3.11 or 3.12 with venv; install one"
    java_works || apt_install default-jre-headless
    java_works || fail "java lacks the module jdk.incubator.vector; point JAVA_HOME to a full Java 17+ runtime," \
        "such as those in /usr/lib/jvm"

    say "installing Python packages (the first time about 3 GB, some minutes)"
    "$python" -m venv .llmops/bootstrap
    .llmops/bootstrap/bin/python -m pip install --quiet --require-hashes -r scripts/installer.lock
    [ -x .venv/bin/python ] || "$uv" venv --quiet --python "$python" .venv
    export VIRTUAL_ENV="$PWD/.venv"
    "$uv" pip sync --compile-bytecode --require-hashes requirements.lock model-requirements.lock
    "$uv" pip install --quiet --no-deps --editable .
}

# Runs a step unless it ran before with the same inputs.
once() {
    local step=$1 stamp=$2 now
    shift 2
    now=$(printf '%s\n' "$PWD" "$lake" | cat - "$@" | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" != "$now" ] || return 0
    "$step"
    echo "$now" >"$stamp"
}

prepare() {
    say "creating keys and databases"
    .venv/bin/python -m scripts.prepare
}

home=${LLMOPS_HOME:-.llmops}
lake=${LLMOPS_LAKE:-$home/lake}
mkdir -p .llmops "$home"
exec 9>.llmops/setup.lock
flock -n 9 || { say "waiting for another set-up to end"; flock 9; }
[ -x .venv/bin/llmops ] || rm -f .llmops/environment.stamp
for made in "$home/airflow/airflow.db" "$home/keys" "$lake/feature_store"; do
    [ -e "$made" ] || rm -f "$home/state.stamp"
done
once install_environment .llmops/environment.stamp requirements.lock model-requirements.lock pyproject.toml scripts/setup.sh
java_works || fail "java is gone since the set-up; remove .llmops/environment.stamp and run this again"
once prepare "$home/state.stamp" feature_repo/* dags/pools.json scripts/prepare.py .llmops/environment.stamp
