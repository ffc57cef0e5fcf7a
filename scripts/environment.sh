# Sourced by the scripts beside it: one virtual environment, .venv, filled from a lock, and not twice from the same.
# Needs a POSIX shell and Python 3.11 or newer with venv.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=$root/.venv
python=$venv/bin/python

say() {
    printf '%s\n' "$*" >&2
}

stop() {
    say "scripts/$(basename -- "$0"): $*"
    exit 1
}

# Print the first Python that is new enough and can make environments.
find_python() {
    incomplete=
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
        incomplete=${incomplete:-$candidate}
    done
    [ -z "$incomplete" ] || stop "$incomplete cannot make virtual environments;" \
        "on Debian and Ubuntu: apt-get install $("$incomplete" -c \
            'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    stop "needs Python 3.11 or newer, and found none; on Debian and Ubuntu: apt-get install python3 python3-venv"
}

# Print what an environment made from the lock $1 is made of; also where, since it does not survive being moved.
ingredients() {
    cksum "$root/requirements/$1.txt" "$root/pyproject.toml"
    "$python" --version
}

# Is the lock $1 installed as it stands?
installed() {
    [ -x "$python" ] && [ -f "$venv/installed-$1" ] && [ "$(cat "$venv/installed-$1")" = "$(ingredients "$1")" ]
}

# Install the lock $1 and the project itself, unless they are there.
environment() {
    installed "$1" && return
    if ! "$python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        found=$(find_python)
        say "Making a virtual environment in .venv ..."
        "$found" -m venv --clear "$venv"
    fi
    rm -f "$venv"/installed-*
    say "Installing the packages of requirements/$1.txt ..."
    "$python" -m pip install -qq --no-input --disable-pip-version-check --require-hashes --only-binary :all: \
        --no-binary dkimpy \
        --requirement "$root/requirements/$1.txt" || stop "could not install the packages; is there a network?"
    "$python" -m pip install -qq --no-input --disable-pip-version-check --no-deps --no-build-isolation \
        --editable "$root" || stop "could not install the newsletter itself"
    ingredients "$1" >"$venv/installed-$1"
}
