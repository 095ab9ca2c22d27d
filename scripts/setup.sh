#!/bin/sh
# Make .venv with the pinned versions and askwell itself (editable), or leave it alone when it is current.
# A .venv that an interrupted run left half-made has no stamp and is made anew.
set -eu
cd "$(dirname "$0")/.."

if [ -n "${PYTHON:-}" ]; then candidates=$PYTHON; else candidates="python3 python3.13 python3.12 python3.11 python"; fi
python=
for candidate in $candidates; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "expected Python 3.11, 3.12 or 3.13, found none of it; install one, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
fi

stamp=.venv/askwell-setup
wanted=$(cat pyproject.toml constraints.txt scripts/setup.sh | cksum; pwd)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && .venv/bin/askwell --version >/dev/null 2>&1; then
    exit 0
fi

echo "setting up .venv (about 6 GB, once)"
if ! [ -f "$stamp" ] || ! .venv/bin/python -c '' 2>/dev/null; then
    rm -rf .venv
    "$python" -m venv .venv || {
        echo "expected Python's venv module to work; on Debian or Ubuntu: apt-get install python3-venv" >&2
        exit 1
    }
fi
rm -f "$stamp"
if .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv 2>/dev/null; then
    .venv/bin/python -m uv pip install --quiet --compile-bytecode --python .venv/bin/python --constraint constraints.txt --group dev --group docs --editable .
else
    echo "uv is not to be had; going on with pip, which takes longer" >&2
    .venv/bin/python -m pip install --quiet --upgrade "pip>=25.1"  # the first with --group
    .venv/bin/python -m pip install --quiet --constraint constraints.txt --group dev --group docs --editable .
fi
printf '%s\n' "$wanted" >"$stamp"
