#!/usr/bin/env bash
# The programs that the tests run and that don't come from a language's registry.
set -euo pipefail

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
# Chromium without windows: the same engine at a third of the price (docs/decisions/0011).
command -v chromium-headless-shell chromium >/dev/null || missing+=(chromium-headless-shell)
command -v strace >/dev/null || missing+=(strace)
# The benchmarks' load generator is written in C, and what mypyc makes of the gate is C as well.
command -v cc >/dev/null || missing+=(gcc libc6-dev)
python=.venv/bin/python
[ -x "$python" ] || python=python3
"$python" -c 'import sysconfig, pathlib, sys; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").is_file())' ||
    missing+=(python3-dev)
# Debian keeps it out of the PATH, one folder for each version.
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
if [ ${#missing[@]} -gt 0 ]; then
    "$(dirname "$0")/setup-apt.sh" "the tests need them" "${missing[@]}"
fi
