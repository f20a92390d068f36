"""Every script answers --help and a mistyped flag before it loads TensorFlow."""
import json
import os
import subprocess
import sys

import pytest

from deeplab.testing import script_flags

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_BROKEN = "raise RuntimeError('was imported')\n"
_ANSWERS = {'--help': 0, '--no_such_flag=1': 2}

# Prints the exit code of each script with each word, and what it wrote to stderr.
_RUN = """
import contextlib, io, json, os, runpy, sys
from deeplab.datasets.building import builder
from deeplab.utils.training import loop

for module in json.loads(sys.argv[1]):
  for word in json.loads(sys.argv[2]):
    if os.fork():
      os.wait()
      continue
    errors, code = io.StringIO(), 0
    sys.argv = [module, word]
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
      try:
        runpy.run_module('deeplab.' + module, run_name='__main__', alter_sys=True)
      except SystemExit as stop:
        code = stop.code
      except BaseException as error:
        code = repr(error)
    print(json.dumps([module, word, code, errors.getvalue()]), flush=True)
    os._exit(0)
"""


@pytest.fixture(name='broken', scope='module')
def fixture_broken(tmp_path_factory):
  """Returns the environment of processes that cannot import TensorFlow."""
  folder = tmp_path_factory.mktemp('broken')
  for name in ('tensorflow.py', 'tf_slim.py'):
    (folder / name).write_text(_BROKEN)
  paths = [str(folder)] + os.environ.get('PYTHONPATH', '').split(os.pathsep)
  return dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))


def test_help_and_mistakes_are_answered_without_tensorflow(broken):
  scripts = script_flags.scripts()
  assert len(scripts) > 30
  output = subprocess.run(
      [sys.executable, '-c', _RUN, json.dumps(scripts),
       json.dumps(list(_ANSWERS))],
      cwd=_ROOT, env=broken, stdout=subprocess.PIPE, check=True).stdout.decode()
  found = [json.loads(line) for line in output.splitlines()]
  assert len(found) == len(scripts) * len(_ANSWERS)
  wrong = [row for row in found if row[2] != _ANSWERS[row[1]]]
  assert not wrong
  assert all(errors.count('error:') == (code == 2) for _, _, code, errors in found)


def test_a_tensorflow_that_cannot_be_loaded_is_one_line(broken, tmp_path):
  process = subprocess.run(
      [sys.executable, 'vis.py', '--vis_logdir=%s' % (tmp_path / 'vis'),
       '--checkpoint_dir=%s' % tmp_path, '--dataset_dir=%s' % tmp_path],
      cwd=_ROOT, env=broken, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  assert (process.returncode, process.stdout) == (1, b'')
  errors = process.stderr.decode()
  assert errors.startswith('vis.py: error: TensorFlow cannot be loaded: was imported. Run it with')
  assert errors.count('\n') == 1
  assert not (tmp_path / 'vis').exists()
