#!/bin/sh
# Trains with several processes on this machine, to try out what runs on many.
#
#   sh deployment/launch_local.sh --workers=2 --ps=1 --logs=DIR [--evaluator] -- FLAGS OF train.py
#
#   --workers=N   processes that compute gradients; the first is the chief (2)
#   --ps=M        parameter servers, which hold the variables (1)
#   --logs=DIR    folder for the log of each task, such as worker_0.log (logs)
#   --evaluator   also evaluates every checkpoint as it appears
#
# The chief's log is shown too. Ctrl-C stops all once the chief has saved; the same command
# continues. Ends with the exit code of the first worker that failed, or 0.
# PYTHON: interpreter (python).
set -u

workers=2 ps=1 logs=logs evaluator=
while [ $# -gt 0 ]; do
  case $1 in
    --workers=*) workers=${1#*=} ;;
    --ps=*) ps=${1#*=} ;;
    --logs=*) logs=${1#*=} ;;
    --evaluator) evaluator=1 ;;
    -h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --) shift; break ;;
    *)
      echo "launch_local.sh: error: $1 is not a flag of it; flags of train.py follow --" >&2
      exit 2
      ;;
  esac
  shift
done
case $workers$ps in
  *[!0-9]* | '')
    echo "launch_local.sh: error: --workers and --ps are numbers, got $workers and $ps" >&2
    exit 2
    ;;
esac
python=${PYTHON:-python}
train=$(dirname "$0")/../train.py
mkdir -p "$logs" || exit 1

hosts=$("$python" -c '
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in sockets:
  one.bind(("127.0.0.1", 0))
print(",".join("127.0.0.1:%d" % one.getsockname()[1] for one in sockets))
' "$((workers + ps))") || exit 1
worker_hosts=$(echo "$hosts" | cut -d, -f"1-$workers")
ps_hosts=$(echo "$hosts" | cut -d, -f"$((workers + 1))-")
unset TF_CONFIG

state=$(mktemp -d) || exit 1

start() {  # $1: job, $2: index, then flags of train.py
  job=$1 index=$2
  shift 2
  task=${job}_$index
  {
    "$python" "$train" "$@" --job_name="$job" --task="$index" --worker_hosts="$worker_hosts" \
      --ps_hosts="$ps_hosts" >"$logs/$task.log" 2>&1 &
    echo $! >"$state/$task.pid"
    wait $!
    echo $? >"$state/$task.code"
  } &
}

start_all() {  # $1: job, $2: number, then flags of train.py
  job=$1 number=$2 next=0
  shift 2
  while [ "$next" -lt "$number" ]; do
    start "$job" "$next" "$@"
    next=$((next + 1))
  done
}

tell_all() {  # $1: pattern of tasks
  for file in "$state"/$1.pid; do
    [ -f "${file%.pid}.code" ] || kill -TERM "$(cat "$file")" 2>/dev/null
  done
}

start_all ps "$ps" "$@"
start_all worker "$workers" "$@"
[ -z "$evaluator" ] || start evaluator 0 "$@"
echo "launch_local.sh: $workers workers, $ps parameter servers, logs in $logs" >&2
tail -n +1 -F "$logs/worker_0.log" 2>/dev/null &
shown=$!

# Background jobs of a script do not see Ctrl-C: they are told, the workers first.
signal=
trap 'signal=INT' INT
trap 'signal=TERM' TERM

status=0 told=
while [ "$(ls "$state" | grep -c '^worker_.*code$')" -lt "$workers" ]; do
  if [ -n "$signal" ] && [ -z "$told" ]; then
    echo "launch_local.sh: SIG$signal: stopping once the chief has saved" >&2
    told=$signal
    tell_all 'worker_*'
  fi
  for file in "$state"/worker_*.code; do
    [ -f "$file" ] && [ -z "$told" ] || continue
    code=$(cat "$file")
    if [ "${code:-0}" -ne 0 ]; then
      task=$(basename "$file" .code)
      echo "launch_local.sh: $task ended with exit code $code:" \
        "$(tail -n 1 "$logs/$task.log")" >&2
      status=$code told=failure
      tell_all 'worker_*'
    fi
  done
  sleep 1
done
[ -z "$told" ] || tell_all '[!w]*'
wait_for() { while [ "$(ls "$state" | grep -c "^$1.*code\$")" -lt "$2" ]; do sleep 1; done; }
wait_for ps "$ps"
[ -z "$evaluator" ] || wait_for evaluator 1
kill "$shown" 2>/dev/null
for file in "$state"/*.code; do
  [ "$status" -ne 0 ] || [ -n "$told" ] || status=$(cat "$file")
done
rm -rf "$state"
case $told in
  INT) exit 130 ;;
  TERM) exit 143 ;;
esac
exit "$status"
