#!/bin/sh
# Install the Debian packages whose programs are missing, when that is possible; else say which.
# Tests that want a missing program skip with its name as the reason: nothing fails here.
set -eu

missing=
while read -r program package; do
    case $program in ''|'#'*) continue ;; esac
    command -v "$program" >/dev/null 2>&1 || missing="$missing $package"
done <"$1"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$missing"
    # Servers among them are for the tests to start: in runlevel 1 Debian's scripts start none.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    # shellcheck disable=SC2086  # a list of words is meant
    if { apt-get install --yes --quiet --no-install-recommends $missing ||
        { apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends $missing; }
    } >/dev/null 2>&1; then
        exit 0
    fi
    echo "apt-get could not install them" >&2
fi
echo "tests that want these Debian packages are skipped:$missing" >&2
