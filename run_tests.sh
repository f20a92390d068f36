#!/bin/sh
# Tests every lane this machine has: the whole job in short form, then the tests.
# Sets up its own virtual environments. Usage: sh run_tests.sh
# Settings: TEST_WORKERS, tests at a time (2); SLOW_TESTS=1, also those that take long, and on the
# TF1 lane those that tell there what they tell on the other.
set -eu
cd "$(dirname "$0")"
case ${1:-} in
  '') ;;
  -h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' run_tests.sh; exit 0 ;;
  *) echo "error: $1: sh run_tests.sh takes no arguments" >&2; exit 2 ;;
esac
# Both lanes are tested, whatever is active.
unset VIRTUAL_ENV CONDA_PREFIX
export WITH_TESTS=1
workers=${TEST_WORKERS:-2}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
# Jobs in the background do not hear Ctrl-C.
trap 'trap "" TERM; kill 0; exit 130' INT TERM

set_up() {  # $1: interpreter, or nothing for the default lane
  (PYTHON=$1 && . utils/setup_env.sh)
}

run_lane() {  # $1: interpreter, or nothing for the default lane
  (
    PYTHON=$1
    . utils/setup_env.sh || exit 1
    echo "== $LANE lane: tests"
    "$PYTHON" -m pytest -n "$workers" --dist loadfile
  )
}

short_job() {  # $1: interpreter, or nothing; $2: steps
  PYTHON=$1 NUM_ITERATIONS=$2 NUM_TRAIN=24 NUM_VAL=8 BATCH_SIZE=4 CROP_SIZE=129,129 \
    WORK_DIR=$logs/job-$2 sh local_test.sh
}

forma_job() {
  PYTHON='' FORMA_SAMPLE=1 SHORT=1 SAMPLE_DIR=$logs/forma sh local_test_forma.sh
}

beside() {  # $1: title; the rest: a job that runs beside others, with its words kept for its end
  title=$1
  shift
  {
    status=0
    "$@" >"$logs/$title.log" 2>&1 || status=$?
    echo "== $title: exit code $status"
    cat "$logs/$title.log"
    exit $status
  } &
}

python37=$(
  for candidate in python3.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.7.*/bin/python3.7; do
    "$candidate" -c 'import venv' >/dev/null 2>&1 && { echo "$candidate"; break; }
  done || true
)

set_up ''
[ -z "$python37" ] || set_up "$python37"
echo "== the job in short form on every lane, and the driver of the Forma sets: some minutes"
beside 'default lane, job in short form' short_job '' 12
jobs=$!
beside 'default lane, Forma sets in short form' forma_job
jobs="$jobs $!"
if [ -n "$python37" ]; then
  beside 'TF1 lane, job in short form' short_job "$python37" 6
  jobs="$jobs $!"
fi
status=0
for job in $jobs; do
  wait "$job" || status=$?
done
[ "$status" = 0 ] || exit "$status"
if [ -n "$python37" ]; then
  run_lane "$python37"
else
  echo "== TF1 LANE SKIPPED: no Python 3.7 on the PATH or among pyenv's versions"
fi
# Last, so that the closing line is that of the default lane's tests.
run_lane ''
