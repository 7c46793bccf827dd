# Read by the other scripts: messages, and Debian packages that are missing.

say() { echo "setup: $*" >&2; }
fail() { echo "setup: error: $*" >&2; exit 1; }

apt_install() {
    local sudo=()
    command -v apt-get >/dev/null || fail "cannot install $*: no apt-get; install it in your system's way"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "installing $* needs root: run 'apt-get install $*' as root, then this again"
        sudo=(sudo)
    fi
    say "installing $* with apt-get"
    "${sudo[@]}" apt-get update -q >&2
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >&2
}
