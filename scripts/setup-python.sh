#!/usr/bin/env bash
# Make an empty virtual environment: `setup-python.sh FOLDER`. $PYTHON names the interpreter to take.
set -euo pipefail
folder=$1
here=$(dirname "$0")

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ] && [ -n "${PYTHON:-}" ]; then
    echo "PYTHON=$PYTHON is no Python 3.11 or newer." >&2
    exit 1
elif [ -z "$python" ]; then
    "$here/setup-apt.sh" "collab needs Python 3.11 or newer" python3 python3-venv
    python=$(find_python)
    if [ -z "$python" ]; then
        echo "collab needs Python 3.11 or newer, and this system's packages have none: please install one." >&2
        exit 1
    fi
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    # Debian ships these two modules in a package of their own.
    version=$("$python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
    "$here/setup-apt.sh" "$python can't make virtual environments" "python$version-venv"
fi
"$python" -m venv --clear "$folder"
