"""Runs a function in a fresh process and returns its figures with the peak of memory."""
import importlib.util
import json
import os
import resource
import subprocess
import sys

# Why rows are left out where `tf1_python` and `peer_python` find none.
NO_TF1 = 'no Python 3.7 with TensorFlow 1.15; set TF1_PYTHON'
NO_PEER = 'no torch and transformers; set TORCH_PYTHON'

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


def measure(module, function, arguments=None, cores=None, python=None):
  """Returns the figures of a function run in a process of its own.

  Args:
    module: dotted name of the module, or path of a file that needs nothing of this project,
      for interpreters that do not have it.
    function: name of a function in it that returns a dict of numbers.
    arguments: dict of keyword arguments that JSON can hold.
    cores: number of processor cores to use; None: all.
    python: interpreter, that of another lane for example; None: this one.

  Returns:
    The dict, with 'peak_memory_mib' added.

  Raises:
    RuntimeError: the process failed; the end of its output is in the message.
  """
  process = subprocess.run(
      [python or sys.executable, '-c', _RUNNER,
       json.dumps([module, function, arguments or {}, cores, os.path.abspath(__file__)])],
      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  lines = process.stdout.decode('utf-8', 'replace').split('FIGURES ')
  if process.returncode or len(lines) != 2:
    raise RuntimeError('%s.%s(%s) failed: %s' % (
        module, function, arguments, process.stderr.decode('utf-8', 'replace')[-2000:]))
  return json.loads(lines[1])


def measure_in_turns(kinds, repeats):
  """Returns the figures of several kinds, each measured once per turn.

  Args:
    kinds: dict, name -> (arguments of `measure`, interpreter or None).
    repeats: number of turns.

  Returns:
    List, per turn a dict from names to figures.
  """
  return [{name: measure(*arguments, python=python)
           for name, (arguments, python) in kinds.items()} for _ in range(repeats)]


def tf1_python():
  """Returns the interpreter of the TF1 lane, or None where there is none.

  It is what the environment variable TF1_PYTHON says, else that of `run_tests.sh`.
  """
  root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
  path = os.environ.get('TF1_PYTHON') or os.path.join(root, '.venv-tf1', 'bin', 'python')
  return path if os.access(path, os.X_OK) else None


def peer_python():
  """Returns the interpreter that has PyTorch and transformers, or None where there is none.

  It is what the environment variable TORCH_PYTHON says, else this one if it has them.

  Raises:
    ValueError: TORCH_PYTHON is no program.
  """
  path = os.environ.get('TORCH_PYTHON')
  if path:
    if not os.access(path, os.X_OK):
      raise ValueError('TORCH_PYTHON=%s is no program: it must be the path of a Python that has '
                       'torch and transformers.' % path)
    return path
  has_both = all(importlib.util.find_spec(name) for name in ('torch', 'transformers'))
  return sys.executable if has_both else None


def median_of(repeats, *args, **kwargs):
  """Returns the medians of `repeats` calls of `measure`, figure by figure."""
  runs = [measure(*args, **kwargs) for _ in range(repeats)]
  return {name: sorted(run[name] for run in runs)[len(runs) // 2] for name in runs[0]}


def row(what, value, unit, target=None):
  """Returns a row of `__main__`; value: a number, or several whose median counts."""
  values = sorted(value) if isinstance(value, (list, tuple)) else [value]
  made = {'what': what, 'value': float(values[len(values) // 2]), 'unit': unit}
  return dict(made, target=target) if target else made


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
