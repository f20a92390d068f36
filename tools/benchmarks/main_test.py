"""Tests of the benchmark: figures come from processes of their own, and are written down."""
import json
import subprocess
import sys

import pytest

from deeplab.testing import forked_scripts, slow
from deeplab.tools.benchmarks import child

pytestmark = slow.only_if_asked
# By name: where the folder of the checkout is not called deeplab, `allocate` names another module.
ALLOCATE = ('deeplab.tools.benchmarks.main_test', 'allocate')


def allocate(mebibytes):
  return {'length': len(b'x' * (mebibytes << 20))}


def test_peak_memory_is_that_of_the_measured_process_alone():
  small = child.measure(child.Run(ALLOCATE, {'mebibytes': 1}))
  large = child.measure(child.Run(ALLOCATE, {'mebibytes': 600}))
  again = child.measure(child.Run(ALLOCATE, {'mebibytes': 1}))
  assert large['length'] == 600 << 20
  # Of TensorFlow's own code some is loaded or not, as the machine has memory for files.
  assert 540 < large['peak_memory_mib'] - small['peak_memory_mib'] < 660
  assert abs(again['peak_memory_mib'] - small['peak_memory_mib']) < 60


def test_failure_of_the_measured_process_is_told():
  with pytest.raises(RuntimeError, match='TypeError'):
    child.measure(child.Run(ALLOCATE, {'mebibytes': None}))


def test_the_measuring_process_needs_nothing_of_this_project(tmp_path):
  code = ('import importlib.util as util, sys\n'
          'spec = util.spec_from_file_location("child", sys.argv[1])\n'
          'spec.loader.exec_module(util.module_from_spec(spec))\n')
  subprocess.run([sys.executable, '-I', '-S', '-c', code, child.__file__], cwd=str(tmp_path),
                 check=True)


def test_graph_benchmark_prints_and_writes_its_figures(tmp_path):
  path = tmp_path / 'figures.json'
  code, output, log = forked_scripts.run_apart(
      'tools/benchmarks/__main__.py', 'graph', '--repeats=1', '--json=%s' % path,
      '--variants=mobilenet_v2')
  assert code == 0, log
  row, = json.loads(path.read_text())['graph']
  assert row['unit'] == 's' and row['value'] > 0
  assert row['num_operations'] > 1000
  assert row['what'] in output


def test_unknown_benchmark_is_told_with_the_valid_ones():
  code, _, log = forked_scripts.run_apart('tools/benchmarks/__main__.py', 'grph')
  assert code == 2
  assert "Unknown benchmark 'grph'" in log and 'graph' in log
