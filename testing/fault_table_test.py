"""The table of faults: what the end of the tests shows, and what the page has of it."""
import ast
import glob
import os
import re
import subprocess
import sys

import pytest

from deeplab.testing import documentation

_PAGE = os.path.join(documentation.ROOT, 'g3doc', 'reliability.md')
_BY_HAND = 'by hand'

_TESTS = '''
import pytest
@pytest.mark.fault('a disk is full', 'a line')
def test_passed(measured):
  measured('so')
@pytest.mark.fault('no measure', 'a line')
def test_held():
  pass
@pytest.mark.fault('a process is killed', 'it goes on')
def test_failed():
  assert 0
@pytest.mark.fault('the clock is set', 'no matter')
def test_skipped():
  pytest.skip()
def test_of_no_fault():
  pass
'''

_TABLE = '''\
| what happens | what must hold | measured |
| --- | --- | --- |
| a disk is full | a line | so |
| a process is killed | it goes on | FAILED |
| no measure | a line | held |
| the clock is set | no matter | SKIPPED |
'''


def faults_of_tests():
  """Returns what happens in each test that has the mark of a fault."""
  found = []
  for path in sorted(glob.glob(os.path.join(documentation.ROOT, 'testing', '*_test.py'))):
    for node in ast.walk(ast.parse(documentation.read(path))):
      if isinstance(node, ast.Call) and ast.dump(node.func).count("attr='fault'"):
        found.append(ast.literal_eval(node.args[0]))
  return found


def faults_of_page():
  """Returns the first cells of the table of the page, without backticks, but those by hand."""
  table = documentation.read(_PAGE).split('|---|---|---|\n')[1].split('\n\n')[0]
  cells = [re.split(r' ?\| ?', row)[1] for row in table.splitlines()]
  return [cell.replace('`', '') for cell in cells if not cell.endswith(_BY_HAND)]


def test_the_page_has_a_row_for_each_fault_that_is_tested():
  tested = [fault.replace('`', '') for fault in faults_of_tests()]
  assert len(tested) > 20
  assert sorted(tested) == sorted(faults_of_page())


@pytest.mark.parametrize('more', [(), ('-n', '1')])
def test_the_table_ends_the_tests(tmp_path, more):
  (tmp_path / 'conftest.py').write_text('from deeplab.testing.conftest import *\n')
  (tmp_path / 'some_test.py').write_text(_TESTS)
  (tmp_path / 'pytest.ini').write_text('[pytest]\nmarkers = fault\n')
  if more:
    pytest.importorskip('xdist')
  ended = subprocess.run(
      [sys.executable, '-m', 'pytest', '-q', '-c', 'pytest.ini', 'some_test.py'] + list(more),
      cwd=str(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
  text = ended.stdout.decode()
  assert ended.returncode == 1, text
  assert _TABLE in text.split(' faults =')[1], text
