#!/bin/sh
# Runs all tests on every lane this machine has, then the whole job in short form.
# Sets up its own virtual environments. Usage: sh run_tests.sh
# Settings: TEST_WORKERS, tests at a time (2); SLOW_TESTS=1, also those that take long.
set -eu
cd "$(dirname "$0")"
case ${1:-} in
  '') ;;
  -h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' run_tests.sh; exit 0 ;;
  *) echo "error: $1: sh run_tests.sh takes no arguments" >&2; exit 2 ;;
esac
# Both lanes are tested, whatever is active.
unset VIRTUAL_ENV CONDA_PREFIX
workers=${TEST_WORKERS:-2}

run_lane() {  # $1: interpreter, or nothing for the default lane
  (
    PYTHON=$1
    . utils/setup_env.sh || exit 1
    echo "== $LANE lane: tests"
    "$PYTHON" -m pytest -n "$workers" --dist loadfile
  )
}

short_job() {  # $1: interpreter, or nothing; $2: steps
  work_dir=$(mktemp -d)
  status=0
  PYTHON=$1 NUM_ITERATIONS=$2 NUM_TRAIN=24 NUM_VAL=8 BATCH_SIZE=4 CROP_SIZE=129,129 \
    WORK_DIR=$work_dir sh local_test.sh || status=$?
  rm -rf "$work_dir"
  return $status
}

forma_job() {
  work_dir=$(mktemp -d)
  status=0
  PYTHON='' FORMA_SAMPLE=1 SHORT=1 SAMPLE_DIR=$work_dir sh local_test_forma.sh || status=$?
  rm -rf "$work_dir"
  return $status
}

python37=$(
  for candidate in python3.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.7.*/bin/python3.7; do
    "$candidate" -c 'import venv' >/dev/null 2>&1 && { echo "$candidate"; break; }
  done || true
)

echo "== default lane: the job in short form"
short_job '' 12
echo "== default lane: the driver of the Forma sets in short form"
forma_job
if [ -n "$python37" ]; then
  run_lane "$python37"
  echo "== TF1 lane: the job in short form"
  short_job "$python37" 6
else
  echo "== TF1 LANE SKIPPED: no Python 3.7 on the PATH or among pyenv's versions"
fi
# Last, so that the closing line is that of the default lane's tests.
run_lane ''
