# shellcheck disable=SC2154  # caller
# What the drivers share; sourced from the root of the project, after `caller=$PWD`:
#
#     . utils/driver.sh
#     check_call SCRIPT NUMBER "$@"
#     check_stages NAME ...
#     choose_lane
#     stage NAME COMMAND [ARGUMENT ...]
#
# In:  PYTHON   an interpreter that has this package and TensorFlow is taken as it is; anything
#               else is for utils/setup_env.sh.
#      DRY_RUN  1: nothing is installed, and stages print their commands instead of running them.
#      STAGES   the stages that run; others are passed over. Default: all.
# Out: PYTHON, LANE (tf1 or tf2)

stage_name=start
started=$(date +%s)
# Flags that settings of other names stand for; they go after those of the settings.
more_train_flags='' more_model_flags='' more_eval_flags=''

# Prints the comment at the head of the file $1, which is its help.
print_help() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1"; }

# Prints $* as an error and ends the script: something cannot be done.
fail() {
  echo "error: $*" >&2
  exit 1
}

# Prints $* as an error and ends the script: arguments or settings cannot be used.
refuse() {
  echo "error: $*" >&2
  exit 2
}

# Prints the path $1, as seen from where the script was called, as an absolute one.
absolute() {
  case $1 in
    "~"/*) echo "$HOME/${1#*/}" ;;
    /*) echo "$1" ;;
    *) echo "$caller/$1" ;;
  esac
}

# Ends the script $1 where its arguments, from $3 on, ask for help, are flags or more than $2; or
# where the environment has what is nearly a setting of it.
check_call() {
  script=$1 most=$2
  shift 2
  for word in "$@"; do
    case $word in
      -h | --help) print_help "$script"; exit 0 ;;
      -*) refuse "$word: settings are environment variables; sh $script --help lists them" ;;
    esac
  done
  [ $# -le "$most" ] || {
    shift "$most"
    refuse "$1: settings are environment variables; sh $script --help lists them"
  }
  check_settings
  check_switches DRY_RUN
  case $script/${DRY_RUN:-0} in
    datasets/*/1) refuse "DRY_RUN=1 is for the drivers: $script would download and build" ;;
  esac
}

# Sets the settings, and more_*_flags, that the environment has by their names in the original's
# drivers; tells of those of other drivers. Ends the script at what is nearly a setting. Settings
# are the words in capitals of the help of $script, and of $passed_on, to which it passes them on.
check_settings() {
  rows=/dev/null others=''
  case $script in
    local_test*) rows=utils/original_settings.txt others=$(settings_of local_test*.sh) ;;
  esac
  found=$(awk -v script="$script" -v others=" $others " \
    -v known=" $(settings_of "$script" ${passed_on:+"$passed_on"}) " \
    -f utils/settings.awk "$rows" | LC_ALL=C sort -r)
  while IFS=$(printf '\t') read -r kind first second name; do
    case $kind in
      refuse) refuse "$first" ;;
      note) echo "note: $first" >&2 ;;
      set) eval "$first=\$$second" ;;
      flag) eval "add_flag $first \"$second\$$name\"" ;;
    esac
  done <<FOUND
$found
FOUND
}

# Prints the words in capitals of the help of some scripts.
settings_of() {
  for file in "$@"; do print_help "$file"; done | LC_ALL=C tr -cs 'A-Z0-9_' '\n' |
    grep '^[A-Z].' | sort -u | tr '\n' ' '
}

# Adds the flag $2 to those that go after the ones of the setting $1.
add_flag() {
  case $1 in
    TRAIN_FLAGS) more_train_flags="$more_train_flags $2" ;;
    MODEL_FLAGS) more_model_flags="$more_model_flags $2" ;;
    EVAL_FLAGS) more_eval_flags="$more_eval_flags $2" ;;
  esac
}

# Ends the script where one of these settings is given and is neither 0 nor 1.
check_switches() {
  for name in "$@"; do
    eval "value=\${$name:-0}"
    case $value in
      0 | 1) ;;
      *) refuse "$name=$value must be 0 or 1" ;;
    esac
  done
}

# Ends the script where one of these settings is given and is no whole number above 0.
check_numbers() {
  for name in "$@"; do
    eval "value=\${$name:-1}"
    case $value in
      *[!0-9]* | 0*) refuse "$name=$value must be a whole number above 0" ;;
    esac
  done
}

# Sets PYTHON and LANE.
choose_lane() { . utils/setup_env.sh || exit 1; }

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
      *) refuse "STAGES: there is no stage '$wanted'; they are: $*" ;;
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
