#!/bin/sh
# The work of utils/setup_env.sh, in a process of its own. Writes lane and interpreter to
# descriptor 4; they are those of
#   1. PYTHON, or of the active environment, if they have the packages and this project;
#   2. .venv-LANE, made on the interpreter that PYTHON, the active environment or a search names.
#      Where another interpreter has made it already it stays, and .venv-LANE-VERSION is made.
# Into an environment whose interpreter runs, what is missing is installed; it is never emptied.
set -eu
root=$(pwd -P)
started=$(date +%s)

fail() { echo "error: $*" >&2; exit 1; }

# Prints the path of a working interpreter called $1, from the PATH or among pyenv's.
find_python() {
  for candidate in "$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/"$1"; do
    "$candidate" -c 'import venv, ensurepip, ctypes' >/dev/null 2>&1 && {
      command -v "$candidate"
      return 0
    }
  done
  return 1
}

# Sets lane, version, base and prefix to those of interpreter $1: base is the installed program
# that it is another name, a link or an environment of.
read_facts() {
  facts=$("$1" -c '
import os, sys
version = sys.version_info[:2]
print("tf1" if version == (3, 7) else "tf2" if (3, 9) <= version <= (3, 13) else "none")
print("%d.%d.%d" % sys.version_info[:3])
installed = getattr(sys, "real_prefix", getattr(sys, "base_prefix", sys.prefix))
programs = [os.path.join(installed, "bin", name)
            for name in ("python%d.%d" % version, "python%d" % version[0], "python")]
print(os.path.realpath(([path for path in programs if os.path.exists(path)]
                        + [sys.executable])[0]))
print(os.path.realpath(sys.prefix))' 2>/dev/null) || return 1
  { read -r lane; read -r version; read -r base; read -r prefix; } <<FACTS
$facts
FACTS
}

# Whether interpreter $1 has the packages; with a word $2 also this very project.
has_packages() {
  "$1" -c '
import os, sys
from importlib import util
found = util.find_spec("deeplab")
is_here = found and found.origin and os.path.samefile(os.path.dirname(found.origin), ".")
sys.exit(not ((is_here or not sys.argv[1]) and all(map(
    util.find_spec, ("absl", "matplotlib", "numpy", "PIL", "tensorflow", "tf_slim", "tqdm")))))
' "$2" >/dev/null 2>&1
}

# Whether the environment $venv is as pyproject.toml wants it, with what the tests need if that is
# asked for. Its own interpreter tells what it was made on. One for GPUs serves where there is none
# too; one without a mark was made by hand.
is_ready() {
  [ ! -e "$venv/setting-up" ] || return 1
  stamp=$(cat "$venv/installed" 2>/dev/null) || { has_packages "$venv/bin/python" here; return; }
  case $stamp in *" $sum $root") ;; *) return 1 ;; esac
  case ${stamp%% *} in
    "$device$tests" | "$device,test" | "gpu$tests" | gpu,test) has_packages "$venv/bin/python" "" ;;
    *) return 1 ;;
  esac
}

# Whether somebody may use the environment $venv: its interpreter runs, and it is no first set-up
# that was interrupted.
is_begun() {
  "$venv/bin/python" -c '' 2>/dev/null && [ "$(cat "$venv/setting-up" 2>/dev/null)" != new ]
}

# Ends the script: the answer is interpreter $1.
answer() {
  case $1 in /*) echo "$lane $1" >&4 ;; *) echo "$lane $root/$1" >&4 ;; esac
  exit 0
}

# Passes on what a reader may want to see of the output of pip: what is large, and what is next.
show_progress() {
  while IFS= read -r line; do
    case $line in
      '-- '*) echo "   ${line#-- }" ;;
      *Downloading*' MB)'* | *'Using cached'*' MB)'*) echo "     ${line#"${line%%[! ]*}"}" ;;
      'Installing collected packages: '*)
        echo "   unpacking $(echo "${line#*: }" | tr ',' '\n' | wc -l | tr -d ' ') packages" ;;
    esac
  done
}

# Has the scripts of $venv start its interpreter: those of a folder that was moved name another.
mend_scripts() {
  grep -lI '^#!/.*/bin/python[0-9.]*$' "$venv"/bin/* | while IFS= read -r script; do
    sed "1s|^#!/.*/bin/python[0-9.]*\$|#!$venv/bin/python|" "$script" > "$log" &&
      cat "$log" > "$script"
  done
}

# Makes $venv, or installs into it what is missing; $wanted in its file `installed` tells the end.
set_up() {
  fresh=--clear again='' kind=new
  if is_begun; then
    fresh='' kind=more
    # Packages that were being written when a set-up was killed may be there in parts.
    [ ! -e "$venv/setting-up" ] || again=--force-reinstall
    mend_scripts
  fi
  {
    echo "-- virtual environment"
    "$base" -m venv $fresh "$venv" && echo $kind > "$venv/setting-up" &&
      echo "-- pip, setuptools, wheel" &&
      "$venv/bin/python" -m pip install --disable-pip-version-check --upgrade pip setuptools wheel &&
      echo "-- packages of pyproject.toml for $lane-$device" &&
      "$venv/bin/python" -m pip install --disable-pip-version-check $again \
        -e ".[$lane-$device$tests]" &&
      printf '%s' "$wanted" > "$venv/installed" && rm "$venv/setting-up"
  } 2>&1 | tee "$log" | show_progress
  [ -e "$venv/setting-up" ] || [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ] || return 0
  tail -n 30 "$log" >&2
  hint=
  if [ -z "$fresh$again" ]; then
    # pip takes back what it could not finish.
    rm -f "$venv/setting-up"
    ! has_packages "$venv/bin/python" here || hint="; PYTHON=$venv/bin/python uses it as it was"
  fi
  fail "could not set up $venv; the lines above end $log$hint"
}

# --- the interpreter that is asked for ---
active=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}
if [ -n "${PYTHON:-}" ]; then
  asked=$(find_python "$PYTHON") || fail "PYTHON=$PYTHON is not a working Python (with venv and" \
    "ensurepip: on Debian and Ubuntu, the package python3-venv)"
  read_facts "$asked"
  [ "$lane" != none ] || fail "$asked is Python $version: need 3.9 to 3.13 (TensorFlow 2) or 3.7" \
    "(TensorFlow 1.15)"
elif [ -n "$active" ] && asked=$(find_python "$active/bin/python") && read_facts "$asked" &&
  [ "$lane" != none ]; then
  :
else
  [ -z "$active" ] || echo "note: the active environment $active has no Python that a lane takes" \
    "(3.9 to 3.13, or 3.7): another one is used" >&2
  asked=
  for name in "$root/.venv-tf2/bin/python" python3 python3.13 python3.12 python3.11 python3.10 \
    python3.9; do
    asked=$(find_python "$name") && read_facts "$asked" && [ "$lane" = tf2 ] && break
    [ "$name" != python3 ] || [ "$lane" != tf1 ] ||
      echo "note: $asked is Python 3.7; PYTHON=python3 chooses it, and TensorFlow 1.15" >&2
    asked=
  done
  [ -n "$asked" ] || fail "no Python 3.9 to 3.13 found (with venv and ensurepip: on Debian and" \
    "Ubuntu, the package python3-venv); install one or set PYTHON"
  active=
fi

# --- its environment ---
if nvidia-smi -L >/dev/null 2>&1; then device=gpu; else device=cpu; fi
if [ "${WITH_TESTS:-0}" = 1 ]; then tests=,test; else tests=; fi
sum=$(cksum < pyproject.toml)
venv=$root/.venv-$lane
case $prefix in
  "$root"/.venv-*)
    venv=$prefix active=
    if [ -n "${PYTHON:-}" ] && ! is_ready && [ ! -e "$venv/setting-up" ] &&
      has_packages "$asked" here; then
      echo "note: $venv is not as pyproject.toml wants it; without PYTHON=... it is brought up to" \
        "date" >&2
      answer "$asked"
    fi
    ;;
  *)
    [ -z "${PYTHON:-}$active" ] || ! has_packages "$asked" here || answer "$asked"
    asked_base=$base asked_version=$version
    if is_begun && read_facts "$venv/bin/python" &&
      [ "$base" != "$asked_base" ]; then
      venv=$venv-$asked_version
    fi
    base=$asked_base version=$asked_version
    ;;
esac
[ -z "$active" ] || echo "note: the active environment $active lacks this project or its packages:" \
  "$venv, of its Python $version, is used" >&2
! is_ready || answer "$venv/bin/python"
if [ "${DRY_RUN:-0}" = 1 ]; then
  echo "note: DRY_RUN=1 installs nothing: $venv ($lane-$device, Python $version) is not set up" >&2
  answer "$venv/bin/python"
fi

# --- the set-up, one at a time ---
log=$venv.log
[ -w "$root" ] || fail "$venv is not set up, and $root cannot be written"
# The lock goes with the processes that write into the environment, however they end.
exec 9>> "$venv.lock"
"$base" -c '
import errno, fcntl, sys
try:
  fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except (IOError, OSError) as error:
  # Otherwise the file system has no locks.
  if error.errno in (errno.EAGAIN, errno.EACCES):
    print("== waiting for another set-up of " + sys.argv[1])
    sys.stdout.flush()
    fcntl.flock(9, fcntl.LOCK_EX)
' "$venv"
! is_ready || answer "$venv/bin/python"
# What is there stays.
stamp=$(cat "$venv/installed" 2>/dev/null) || stamp=
case ${stamp%% *} in gpu*) device=gpu ;; esac
case ${stamp%% *} in *,test) tests=,test ;; esac
echo "== setting up $venv (Python $version, $lane-$device): some minutes, 1 to 3 GB;" \
  "log: $log"
wanted="$device$tests $base $sum $root"
set_up
echo "   done in $(($(date +%s) - started)) s"
answer "$venv/bin/python"
