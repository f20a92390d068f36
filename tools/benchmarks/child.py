"""The frame of all benchmarks: processes of their own, turns, medians, rows and tables.

Absolute figures of shared machines drift: what is compared runs in turns, and the median of the
ratios counts. The process that measures loads this file by its path: it needs nothing of this
project.
"""
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
import typing

TF1_LANE, PYTORCH = 'TF1 lane', 'PyTorch'
# Why rows are left out where `other_interpreters` finds none.
NO_INTERPRETER = {TF1_LANE: 'no Python 3.7 with TensorFlow 1.15; set TF1_PYTHON',
                  PYTORCH: 'no torch and transformers; set TORCH_PYTHON'}
TORCH_PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'torch_peer.py')

_RUNNER = """
import importlib, importlib.util, json, sys
module, function, arguments, cores, child = json.loads(sys.argv[1])

def load(path):
  spec = importlib.util.spec_from_file_location('loaded_for_benchmark', path)
  loaded = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(loaded)
  return loaded

child = load(child)
child.pin(cores)
loaded = load(module) if module.endswith('.py') else importlib.import_module(module)
figures = getattr(loaded, function)(**arguments)
figures['peak_memory_mib'] = child.peak_memory_mib()
print('FIGURES ' + json.dumps(figures))
"""


class Run(typing.NamedTuple):
  """What a process measures."""
  # Function of a module that returns a dict of numbers; or (path of a file that needs nothing of
  # this project, name of a function), for interpreters that do not have it.
  function: typing.Any
  arguments: dict = {}  # Dict of keyword arguments that JSON can hold.
  cores: typing.Optional[int] = None  # Number of processor cores to use; None: all.
  # Interpreter, that of another lane for example; None: this one.
  python: typing.Optional[str] = None


def measure(run):
  """Returns the figures of a Run, with 'peak_memory_mib' added.

  Raises RuntimeError with the end of the output if the process failed.
  """
  module, name = run.function if isinstance(run.function, tuple) else (
      run.function.__module__, run.function.__name__)
  process = subprocess.run(
      [run.python or sys.executable, '-c', _RUNNER,
       json.dumps([module, name, run.arguments, run.cores, os.path.abspath(__file__)])],
      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  lines = process.stdout.decode('utf-8', 'replace').split('FIGURES ')
  if process.returncode or len(lines) != 2:
    raise RuntimeError('%s.%s(%s) failed: %s' % (
        module, name, run.arguments, process.stderr.decode('utf-8', 'replace')[-2000:]))
  return json.loads(lines[1])


def measure_in_turns(runs, repeats):
  """Returns a list, per turn a dict of figures; runs: dict, name -> Run."""
  return [{name: measure(run) for name, run in runs.items()} for _ in range(repeats)]


def other_interpreters(has_peer):
  """Returns dict, TF1_LANE and, with `has_peer`, PYTORCH -> interpreter; None: there is none."""
  found = {TF1_LANE: tf1_python()}
  if has_peer:
    found[PYTORCH] = peer_python()
  return found


def tf1_python():
  """Returns the interpreter of TF1_PYTHON, else of `run_tests.sh`, or None where there is none."""
  root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
  path = os.environ.get('TF1_PYTHON') or os.path.join(root, '.venv-tf1', 'bin', 'python')
  return path if os.access(path, os.X_OK) else None


def peer_python():
  """Returns an interpreter with PyTorch and transformers, or None: TORCH_PYTHON's, else this one.

  Raises ValueError if TORCH_PYTHON is no program.
  """
  path = os.environ.get('TORCH_PYTHON')
  if path:
    if not os.access(path, os.X_OK):
      raise ValueError('TORCH_PYTHON=%s is no program: it must be the path of a Python that has '
                       'torch and transformers.' % path)
    return path
  has_both = all(importlib.util.find_spec(name) for name in ('torch', 'transformers'))
  return sys.executable if has_both else None


def secs_of_calls(functions, num_warm_up, least_calls, least_secs):
  """Returns a list, per turn the seconds of a call of each function, after some that do not count.

  There are at least `least_calls` turns, and as many as take `least_secs`.
  """
  secs, total, num_turns = [], 0.0, 0
  while num_turns < num_warm_up or len(secs) < least_calls or total < least_secs:
    turn = []
    for function in functions:
      begin = time.perf_counter()
      function()
      turn.append(time.perf_counter() - begin)
    num_turns += 1
    if num_turns > num_warm_up:
      secs.append(turn)
      total += sum(turn)
  return secs


def row(what, values, unit, sign='', bound=None):
  """Returns a row of `__main__`; values: a number, or several whose median counts.

  `sign`, such as '<=', and `bound`, a number, are the project's target; bound None: there is none.
  """
  values = sorted(values) if isinstance(values, (list, tuple)) else [values]
  made = {'what': what, 'value': float(values[len(values) // 2]), 'unit': unit}
  return dict(made, target='%s %.4g' % (sign, bound)) if bound else made


def markdown_table(titles, rows):
  """Returns the lines of a table of Markdown; rows: lists of texts."""
  lines = ['| %s |' % ' | '.join(cells) for cells in [titles] + rows]
  return lines[:1] + ['|' + '---|' * len(titles)] + lines[1:]


def pin(cores):
  """Keeps this process to its first `cores` processor cores, where the system can."""
  if cores and hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def peak_memory_mib():
  """Returns the largest resident size this process has had, in MiB."""
  try:
    # On Linux ru_maxrss starts at the size of the process that this one was forked from.
    with open('/proc/self/status') as stream:
      peak_kib, = [line.split()[1] for line in stream if line.startswith('VmHWM:')]
    return int(peak_kib) / 1024.
  except IOError:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS.
    return peak / 1024. ** (2 if sys.platform == 'darwin' else 1)
