#!/usr/bin/env bash
# Install Debian packages where that is possible: `setup-apt.sh REASON PACKAGE...`.
# Else say in one sentence which ones are missing.
set -euo pipefail
reason=$1
shift

give_up() {
    echo "$reason: please install the packages \"$*\" ($problem), then run make again." >&2
    exit 1
}

if ! command -v apt-get >/dev/null; then
    problem="there is no apt-get here to do it"
    give_up "$@"
elif [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo)
else
    problem="this needs root or sudo"
    give_up "$@"
fi

echo "Installing $* ($reason)"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [[ " $* " == *" postgresql "* ]]; then
    # With the package Debian would make and start a server on port 5432, for which nobody asked.
    quiet=/etc/postgresql-common/createcluster.d/no-main-cluster.conf
    trap 'rm -f "$log"; "${as_root[@]}" rm -f "$quiet"' EXIT
    echo "create_main_cluster = false" | "${as_root[@]}" install -D -m 644 /dev/stdin "$quiet"
fi
if ! { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    problem="apt-get failed, see above"
    give_up "$@"
fi
