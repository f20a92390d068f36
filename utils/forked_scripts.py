"""Runs scripts as programs for tests without paying for TensorFlow's import every time.

One process imports the package; each script runs in a fork of it, with its own flags,
environment and exit code, as from a shell. For scripts that run no session before they fork:
the dataset builders.
"""
import json
import os
import subprocess
import sys
import tempfile
import typing

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_SERVER = """
import json, os, runpy, sys, traceback
from deeplab import common
from deeplab.datasets import builder, combined_sets, label_maps, label_sources, listing

def run(job):
  log = os.open(job['log'], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
  os.dup2(log, 1)
  os.dup2(log, 2)
  os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
  os.environ.update(job['env'])
  sys.argv = [job['script']] + job['flags']
  sys.path.insert(0, os.path.dirname(job['script']))
  try:
    runpy.run_path(job['script'], run_name='__main__')
    return 0
  except SystemExit as stop:
    return stop.code or 0
  except BaseException:
    traceback.print_exc()
    return 1

for line in sys.stdin:
  pid = os.fork()
  if not pid:
    code = run(json.loads(line))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
  status = os.waitpid(pid, 0)[1]
  print(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status), flush=True)
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


def run(script, *script_flags, **env):
  """Runs a script from the root of the project.

  Args:
    script: path of the script, relative to the root.
    *script_flags: words of the command line.
    **env: environment variables to set.

  Returns:
    Result.
  """
  global _server
  if _server is None or _server.poll() is not None:
    _server = subprocess.Popen([sys.executable, '-c', _SERVER], cwd=_ROOT,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
  handle, log = tempfile.mkstemp()
  os.close(handle)
  try:
    job = {'script': os.path.join(_ROOT, script), 'flags': [str(f) for f in script_flags],
           'env': env, 'log': log}
    _server.stdin.write((json.dumps(job) + '\n').encode())
    _server.stdin.flush()
    code = int(_server.stdout.readline())
    with open(log, encoding='utf-8', errors='replace') as f:
      return Result(code, f.read())
  finally:
    os.remove(log)
