"""Runs a function in a fresh process and returns its figures with the peak of memory."""
import json
import os
import resource
import subprocess
import sys

_RUNNER = """
import importlib, json, sys
from deeplab.utils import benchmark_child
module, function, arguments, cores = json.loads(sys.argv[1])
benchmark_child.pin(cores)
figures = getattr(importlib.import_module(module), function)(**arguments)
figures['peak_memory_mib'] = benchmark_child.peak_memory_mib()
print('FIGURES ' + json.dumps(figures))
"""


def measure(module, function, arguments=None, cores=None, python=None):
  """Returns the figures of a function run in a process of its own.

  Args:
    module: dotted name of the module.
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
       json.dumps([module, function, arguments or {}, cores])],
      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  lines = process.stdout.decode('utf-8', 'replace').split('FIGURES ')
  if process.returncode or len(lines) != 2:
    raise RuntimeError('%s.%s(%s) failed: %s' % (
        module, function, arguments, process.stderr.decode('utf-8', 'replace')[-2000:]))
  return json.loads(lines[1])


def median_of(repeats, *args, **kwargs):
  """Returns the medians of `repeats` calls of `measure`, figure by figure."""
  runs = [measure(*args, **kwargs) for _ in range(repeats)]
  return {name: sorted(run[name] for run in runs)[len(runs) // 2] for name in runs[0]}


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
