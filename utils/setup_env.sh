# Sets up the virtual environment of a lane; sourced by the drivers in the root:
#
#     . utils/setup_env.sh
#
# In:  PYTHON  interpreter to build on, e.g. python3.7 for the TF1 lane (default: the
#              first Python 3.9 to 3.13 found).
# Out: PYTHON  the interpreter of the environment; LANE tf1 or tf2.
# Does nothing but check a stamp when the environment is up to date.

deeplab_root=$(pwd)
[ -f "$deeplab_root/utils/setup_env.sh" ] || {
  echo "error: run this from the root of the project" >&2
  exit 1
}

# Prints the path of a working interpreter called $1, from the PATH or among pyenv's.
find_python() {
  for candidate in "$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/"$1"; do
    "$candidate" -c 'import venv, ctypes' >/dev/null 2>&1 && {
      command -v "$candidate"
      return 0
    }
  done
  return 1
}

# Prints tf1 or tf2: the lane that the version of interpreter $1 belongs to.
lane_of() {
  "$1" -c '
import sys
version = sys.version_info[:2]
print("tf1" if version == (3, 7) else "tf2" if (3, 9) <= version <= (3, 13) else "none")'
}

if [ -n "${PYTHON:-}" ]; then
  base_python=$(find_python "$PYTHON") || {
    echo "error: PYTHON=$PYTHON is not a working Python" >&2
    exit 1
  }
else
  base_python=
  for name in python3 python3.13 python3.12 python3.11 python3.10 python3.9; do
    base_python=$(find_python "$name") && [ "$(lane_of "$base_python")" = tf2 ] && break
    base_python=
  done
  [ -n "$base_python" ] || {
    echo "error: no Python 3.9 to 3.13 found; install one or set PYTHON" >&2
    exit 1
  }
fi

LANE=$(lane_of "$base_python")
[ "$LANE" != none ] || {
  echo "error: $base_python is $("$base_python" -V 2>&1): need 3.9 to 3.13 (TensorFlow 2)" \
    "or 3.7 (TensorFlow 1.15)" >&2
  exit 1
}
if nvidia-smi -L >/dev/null 2>&1; then device=gpu; else device=cpu; fi

venv="$deeplab_root/.venv-$LANE"
stamp="$venv/installed"
wanted="$device $base_python $(cksum < pyproject.toml) $deeplab_root"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
  echo "== setting up $venv ($("$base_python" -V 2>&1), $LANE-$device)"
  # An environment of another interpreter would keep that one's program beside this one's library.
  case $(cat "$stamp" 2>/dev/null) in
    "$device $base_python "*) clear= ;;
    *) clear=--clear ;;
  esac
  # What pip and the build say matters only when they fail.
  { "$base_python" -m venv $clear "$venv" &&
    "$venv/bin/python" -m pip install --disable-pip-version-check \
      --upgrade pip setuptools wheel &&
    "$venv/bin/python" -m pip install --disable-pip-version-check \
      -e ".[$LANE-$device,test]" &&
    printf '%s' "$wanted" > "$stamp"
  } > "$deeplab_root/.venv-$LANE.log" 2>&1 || {
    tail -n 30 "$deeplab_root/.venv-$LANE.log" >&2
    echo "error: could not set up $venv; the lines above end $deeplab_root/.venv-$LANE.log" >&2
    exit 1
  }
fi
PYTHON="$venv/bin/python"
export PYTHON LANE
