#!/usr/bin/env bash
# Write the locks in requirements/: `lock.sh UV [options of "uv pip compile", such as --upgrade]`.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$1
shift

compile() {
    local output=requirements/$1.txt
    shift
    # --no-config, --no-emit-index-url: a lock is the same whoever writes it, and names no host.
    "$uv" pip compile --quiet --no-config --no-emit-index-url --no-emit-find-links \
        --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command "make lock" --output-file "$output" "$@" >/dev/null
}

compile runtime pyproject.toml "$@"
compile build --group build --constraint requirements/runtime.txt "$@"
compile node --group node "$@"
compile test pyproject.toml --extra test --extra postgres --group build --group dev \
    --constraint requirements/runtime.txt "$@"
