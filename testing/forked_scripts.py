"""Runs scripts as programs for tests without paying for TensorFlow's import every time.

One process imports the package; each script runs in a fork of it, with its own flags,
environment and exit code, as from a shell. Nothing may run a session before the fork.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing

from deeplab.testing import networks

STEP = re.compile(r'step (\d+)/\d+')
# Far more than any of it takes on a busy machine: the first step of two workers and two servers
# that share half a core takes 40.
DEADLINE_SECS = 400
_POLL_SECS = 0.1

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_SERVER = """
import json, os, runpy, sys, traceback
from deeplab import common
from deeplab.datasets.building import builder, listing
from deeplab.datasets.forma import storage
from deeplab.datasets.labels import forma_labels, label_sources
from deeplab.core.tf_compat import IS_TF1  # Loads TensorFlow.
from deeplab.testing import networks

def run(job):
  for path, stream in ((job['log'], 2), (job['output'], 1)):
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
  os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
  os.environ.update(job['env'])
  os.chdir(job.get('cwd') or '.')
  if job['is_shallow']:
    networks.make_shallow()
  sys.argv = [job['script']] + job['flags']
  sys.path.insert(0, os.path.dirname(job['script']))
  try:
    if job['code']:
      exec(job['code'], {'__name__': '__main__'})
    else:
      runpy.run_path(job['script'], run_name='__main__')
    return 0
  except SystemExit as stop:
    return stop.code or 0
  except BaseException:
    traceback.print_exc()
    return 1

def code_of(status):
  return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)

for line in sys.stdin:
  job = json.loads(line)
  if 'poll' in job:
    pid, status = os.waitpid(job['poll'], os.WNOHANG)
    print(code_of(status) if pid else 'running', flush=True)
    continue
  pid = os.fork()
  if not pid:
    code = run(job)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
  print(pid if job['is_left_running'] else code_of(os.waitpid(pid, 0)[1]), flush=True)
"""
_server = None


class Result(typing.NamedTuple):
  """What a script left: its exit code and everything it wrote to stdout and stderr."""
  code: int
  log: str

  @property
  def last_line(self):
    """The last line written."""
    lines = self.log.strip().splitlines()
    return lines[-1] if lines else ''


def run(script, *script_flags, cwd=None, **env):
  """Returns the Result of a script, a path below the root, run in `cwd` or the root with `env`."""
  code, _, log = _run_job(_job(script, script_flags, env, cwd=cwd and str(cwd)), is_apart=False)
  return Result(code, log)


def run_checked(script, *script_flags):
  """Returns everything that a script wrote, which must end with exit code 0; see `run`."""
  result = run(script, *script_flags)
  assert result.code == 0, result.log
  return result.log


def run_apart(script, *script_flags):
  """As `run`, but returns (exit code, what went to stdout, what went to stderr)."""
  return _run_job(_job(script, script_flags))


# For code of `run_code` that has imported a script: parse_line(words) gives its flags the values of
# a list of words, and those not in it their defaults, as in a new process.
PARSE_LINE = """
from absl import flags
_defaults = {name: flags.FLAGS[name].default for name in flags.FLAGS}

def parse_line(words):
  flags.FLAGS.unparse_flags()
  for name, default in _defaults.items():
    flags.FLAGS[name].value, flags.FLAGS[name].present = default, 0
  flags.FLAGS(['script'] + words)
"""


def run_code(code, *words):
  """As `run_apart`, for Python code whose sys.argv[1:] are `words`."""
  return _run_job({'script': '-c', 'code': code, 'flags': list(words), 'env': {}})


class Process(object):
  """A script that runs beside the test; see `start`. Stdout and stderr go to `log_path`."""

  def __init__(self, pid, log_path):
    self.pid = pid
    self.log_path = log_path
    self._code = None

  @property
  def log(self):
    """Everything written so far."""
    return _text_of(self.log_path)

  def code(self):
    """Returns the exit code, negative for a signal, or None while it runs."""
    if self._code is None:
      answer = _ask({'poll': self.pid})
      self._code = None if answer == 'running' else int(answer)
    return self._code

  def send(self, signal_number):
    """Sends a signal unless it has ended."""
    if self.code() is None:
      os.kill(self.pid, signal_number)


def start(script, log_path, *script_flags, **env):
  """Starts a script and returns its Process; see `run`."""
  # There from now on, whatever the process does first.
  pathlib.Path(log_path).touch()
  pid = _ask(_job(script, script_flags, env, is_left_running=True, log=str(log_path),
                  output=str(log_path)))
  return Process(int(pid), str(log_path))


@contextlib.contextmanager
def running(script, log_path, *script_flags, **env):
  """Yields the Process of a script, as `start`, and kills it in the end."""
  process = start(script, log_path, *script_flags, **env)
  try:
    yield process
  finally:
    process.send(signal.SIGKILL)


def free_ports(number):
  """Returns ports of this machine that nobody listens on."""
  with contextlib.ExitStack() as stack:
    sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
    for one in sockets:
      one.bind(('127.0.0.1', 0))
    return [one.getsockname()[1] for one in sockets]


def last_step(process):
  """Returns the newest step in the log of a worker; 0 before the first."""
  steps = STEP.findall(process.log)
  return int(steps[-1]) if steps else 0


def wait_for_step(process, step, deadline_secs=DEADLINE_SECS):
  """Returns once a worker has logged a step from `step` on; else raises an AssertionError."""
  wait_until(lambda: last_step(process) >= step or process.code() is not None,
             'step %d' % step, process, deadline_secs)
  assert last_step(process) >= step, process.log


def wait_for_end(*processes):
  """Returns the list of exit codes; raises an AssertionError where one does not end in time."""
  for process in processes:
    wait_until(lambda one=process: one.code() is not None, 'its end', process)
  return [process.code() for process in processes]


def wait_until(is_true, what, process, deadline_secs=DEADLINE_SECS):
  """Returns once a function returns true; raises AssertionError with a log in the end."""
  until = time.monotonic() + deadline_secs
  while not is_true():
    assert time.monotonic() < until, 'No %s in %d s:\n%s' % (what, deadline_secs, process.log)
    time.sleep(_POLL_SECS)


def _job(script, script_flags, env=None, **more):
  return dict(more, script=os.path.join(ROOT, script), code=None, env=env or {},
              flags=[str(flag) for flag in script_flags])


def _ask(job):
  """Returns the line that the process of the forks answers to a job."""
  global _server
  job = dict(job, is_shallow=networks.is_shallow())
  if _server is None or _server.poll() is not None:
    _server = subprocess.Popen([sys.executable, '-c', _SERVER], cwd=ROOT,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
  _server.stdin.write((json.dumps(job) + '\n').encode())
  _server.stdin.flush()
  return _server.stdout.readline().decode().strip()


def _run_job(job, is_apart=True):
  """Returns (exit code, stdout, stderr) of a job; with `is_apart` off stderr has both."""
  with tempfile.TemporaryDirectory() as folder:
    log, output = [os.path.join(folder, name) for name in ('log', 'output')]
    job = dict(job, log=log, output=output if is_apart else log, is_left_running=False)
    code = int(_ask(job))
    return code, _text_of(job['output']), _text_of(log)


def _text_of(path):
  return pathlib.Path(path).read_text(encoding='utf-8', errors='replace')
