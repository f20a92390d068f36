# What the drivers of longer jobs share; sourced from the root of the project:
#
#     . utils/driver.sh
#     print_help "$0"
#     check_stages NAME ...
#     choose_lane
#     stage NAME COMMAND [ARGUMENT ...]
#
# In:  PYTHON   an interpreter that has this package and TensorFlow is taken as it is; anything
#               else is for utils/setup_env.sh.
#      DRY_RUN  1: stages print their commands instead of running them.
#      STAGES   the stages that run; others are passed over. Default: all.
# Out: PYTHON, LANE (tf1 or tf2)

stage_name=start
started=$(date +%s)

# Prints the comment at the head of the file $1, which is its help.
print_help() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"; }

# Prints $* as an error and ends the script.
fail() {
  echo "error: $*" >&2
  exit 1
}

# Sets PYTHON and LANE.
choose_lane() {
  if [ -n "${PYTHON:-}" ] && "$PYTHON" -c '
import os, sys
from importlib import util
found = util.find_spec("deeplab")
is_here = found and found.origin and os.path.samefile(os.path.dirname(found.origin), ".")
sys.exit(not (is_here and all(map(util.find_spec, ("tensorflow", "tf_slim", "absl", "PIL")))))
' >/dev/null 2>&1; then
    LANE=tf$("$PYTHON" -c 'import sys; print(1 if sys.version_info[:2] == (3, 7) else 2)')
  else
    . utils/setup_env.sh
  fi
}

# Whether the stage $1 is one of STAGES.
is_wanted() {
  for wanted in ${STAGES:-$1}; do
    [ "$wanted" != "$1" ] || return 0
  done
  return 1
}

# Ends the script unless all of STAGES are among the arguments.
check_stages() {
  for wanted in ${STAGES:-}; do
    case " $* " in
      *" $wanted "*) ;;
      *) fail "STAGES: there is no stage '$wanted'; they are: $*" ;;
    esac
  done
}

# Runs the stage $1, a command, if it is wanted. Where it fails the script ends, and says where.
stage() {
  stage_name=$1
  shift
  is_wanted "$stage_name" || return 0
  if [ "${DRY_RUN:-0}" = 1 ]; then
    echo "# $stage_name"
    print_command "$@"
    return 0
  fi
  echo
  echo "== $stage_name ($(($(date +%s) - started)) s)"
  stage_code=0
  "$@" || stage_code=$?
  case $stage_code in
    0) ;;
    130 | 143) stop_by_signal "$stage_code" ;;
    *)
      echo "error: stage '$stage_name' failed with exit code $stage_code; see above" >&2
      exit "$stage_code"
      ;;
  esac
}

# Prints a command as it can be pasted into a shell.
print_command() {
  for word in "$@"; do
    case $word in
      '' | *[!A-Za-z0-9_./=:,@%+-]*)
        printf "'%s' " "$(printf '%s' "$word" | sed "s/'/'\\\\''/g")" ;;
      *) printf '%s ' "$word" ;;
    esac
  done
  echo
}

# Ends the script with exit code $1 after Ctrl-C or SIGTERM.
stop_by_signal() {
  trap '' INT TERM
  echo "stopped in stage '$stage_name'; the same command continues there" >&2
  exit "$1"
}
trap 'stop_by_signal 130' INT
trap 'stop_by_signal 143' TERM
