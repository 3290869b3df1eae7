#!/bin/sh
# What the Makefile needs that a Makefile cannot say well.
#
#   setup.sh environment      make the virtual environment, with the versions of constraints.txt
#   setup.sh system-demo      have the system packages that the demo needs (with a screen: Qt's)
#   setup.sh system-test      have the system packages that the tests need
#   setup.sh run COMMAND      run a command of the environment
#   setup.sh with-screen COMMAND   the same, on a virtual screen where there is none
#
# PYTHON, VENV and QT (pyqt6 or pyside6) are taken from the surroundings.
set -eu

PYTHON=${PYTHON:-python3}
QT=${QT:-pyqt6}
VENV=${VENV:-.venv}

# What Qt loads when a window opens. A desktop has these; a server or a container has not.
QT_PACKAGES="libgl1 libegl1 libgl1-mesa-dri libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4
  libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0
  libdbus-1-3 libfontconfig1 libglib2.0-0"
SCREEN_PACKAGES="xvfb xauth"

say() { printf '%s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

is_linux() { [ "$(uname -s)" = Linux ]; }
has_screen() { ! is_linux || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; }

# --- the environment ---------------------------------------------------------------------------

check_python() {
  command -v "$PYTHON" >/dev/null 2>&1 ||
    fail "there is no '$PYTHON'" "Install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=python3.12"
  found=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
    fail "'$PYTHON' does not start" "Name another Python 3.11, 3.12 or 3.13: make PYTHON=python3.12"
  case $found in
    3.11 | 3.12 | 3.13) ;;
    *) fail "'$PYTHON' is Python $found, but 3.11, 3.12 or 3.13 is needed" \
      "Install one of these, or name it if you have it: make PYTHON=python3.12" ;;
  esac
  "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "Python $found cannot make virtual environments: its venv module is not complete" \
      "On Debian and Ubuntu:  sudo apt-get install -y python3-venv"
}

extras() {
  case $QT in
    pyqt6) say "all" ;;
    pyside6) say "pyside6,train,large,openvino,cluster,tracking,parquet,bioimageio" ;;
    *) fail "QT=$QT is not known" "Choose QT=pyqt6 or QT=pyside6." ;;
  esac
}

environment() {
  wanted=$(extras)
  # An environment whose Python has gone (moved folder, upgraded system) is made anew.
  if ! "$VENV/bin/python" -c 'import sys' 2>/dev/null; then
    check_python
    say "Making $VENV with Python $found"
    "$PYTHON" -m venv --clear "$VENV"
  fi
  say "Installing into $VENV (once; several minutes)"
  # groups need pip 25.1, Debian 12 brings 23
  "$VENV/bin/python" -m pip install --quiet --upgrade "pip>=25.1"
  "$VENV/bin/python" -m pip install --quiet -c constraints.txt -e ".[$wanted]" --group dev ||
    fail "the packages could not be installed; pip says above why" \
      "Is there a connection? Then run the same make again: it goes on from here."
  touch "$VENV/.ready"
}

# --- the system --------------------------------------------------------------------------------

# Those of the named packages that dpkg does not have, by their own name or one they provide.
missing() {
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' 2>/dev/null |
    awk '$1 == "installed" {gsub(/\([^)]*\)/, ""); gsub(/,/, " "); $1 = ""; print}' | tr ' ' '\n')
  for package in "$@"; do
    printf '%s\n' "$installed" | grep -qxF "$package" || printf '%s ' "$package"
  done
}

# Install what is missing where we may, else say how. Nothing missing: nothing is run.
system() {
  is_linux || return 0
  if ! command -v dpkg-query >/dev/null 2>&1; then
    has_screen || command -v xvfb-run >/dev/null 2>&1 ||
      fail "there is no screen and no xvfb-run" \
        "Install Xvfb with your system's package manager, or run this in a desktop session."
    return 0
  fi
  lacking=$(missing "$@")
  [ -n "$lacking" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    fail "the system lacks: $lacking" "Run this, then the same make again:" \
      "sudo apt-get update && sudo apt-get install -y --no-install-recommends $lacking"
  fi
  say "Installing system packages: $lacking"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086  # a list of words
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends $lacking; } >/dev/null ||
    fail "apt-get could not install: $lacking" "Is there a connection? apt-get says above why."
}

# --- running -----------------------------------------------------------------------------------

enter() {
  [ -x "$VENV/bin/python" ] || fail "there is no environment $VENV" "Run: make test, or make demo"
  PATH=$(cd "$VENV/bin" && pwd):$PATH
  export PATH QT_API="$QT" PYTEST_QT_API="$QT"
}

task=${1:-}
[ $# -eq 0 ] || shift
case $task in
  environment) environment ;;
  system-demo)
    # shellcheck disable=SC2086
    if has_screen; then system $QT_PACKAGES; fi
    ;;
  system-test)
    # shellcheck disable=SC2086
    if has_screen; then system $QT_PACKAGES; else system $SCREEN_PACKAGES $QT_PACKAGES; fi
    ;;
  run) enter && exec "$@" ;;
  with-screen)
    enter
    if has_screen; then exec "$@"; fi
    exec xvfb-run -a -s "-screen 0 1600x1000x24" "$@"
    ;;
  *) fail "what to do? environment, system-demo, system-test, run or with-screen" ;;
esac
