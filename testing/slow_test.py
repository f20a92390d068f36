"""Tests that the lists of tests that are left out name tests that there are."""
import ast
import glob
import os

import pytest

from deeplab.testing import slow, tiny_run


@pytest.fixture(scope='module', name='tests')
def find_tests():
  """List of 'path::name' of all test functions."""
  found = []
  for path in glob.glob(os.path.join(tiny_run.ROOT, '**', '*_test.py'), recursive=True):
    with open(path, encoding='utf-8') as stream:
      tree = ast.parse(stream.read())
    name = os.path.relpath(path, tiny_run.ROOT).replace(os.sep, '/')
    found += ['%s::%s' % (name, node.name) for node in ast.walk(tree)
              if isinstance(node, ast.FunctionDef) and node.name.startswith('test_')]
  return found


@pytest.mark.parametrize('name', slow.LISTS)
def test_every_line_of_a_list_is_of_a_test(tests, name):
  for line in slow.listed(name):
    pattern = slow.compiled(line.partition('[')[0] + ('*' if '[' in line else ''))
    assert any(map(pattern.match, tests)), line


def test_parameters_count_and_any_text_is_a_star():
  pattern = slow.compiled('a_test.py::*[big-*')
  assert pattern.match('a_test.py::test_all[big-1]')
  assert not pattern.match('a_test.py::test_all[small-1]')
  assert not slow.compiled('a_test.py::test_all').match('a_test.py::test_all[big-1]')
