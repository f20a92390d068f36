"""The page on how it works names files and functions that are there."""
import ast
import os
import re

import pytest

_ROOT = os.path.dirname(os.path.abspath(__file__))
_ROW = re.compile(r'^\| `([\w/]+\.py)` \| `([\w.]+)` \| [^|]+ \| [^|]+ \|$', re.MULTILINE)


def _page():
  with open(os.path.join(_ROOT, 'g3doc', 'how_it_works.md'), encoding='utf-8') as stream:
    return stream.read()


def _steps():
  return sorted(set(_ROW.findall(_page())))


def _defined(path):
  """Returns the names of the functions, classes and methods of a file."""
  with open(os.path.join(_ROOT, path), encoding='utf-8') as stream:
    tree = ast.parse(stream.read())
  names = set()
  for node in tree.body:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
      names.add(node.name)
    if isinstance(node, ast.ClassDef):
      names.update('%s.%s' % (node.name, each.name) for each in node.body
                   if isinstance(each, ast.FunctionDef))
  return names


@pytest.mark.parametrize('path, name', _steps())
def test_a_step_names_a_function_that_is_there(path, name):
  assert name in _defined(path), '%s has no %s' % (path, name)


def test_each_way_has_its_steps():
  """A row that is written otherwise would not be looked at."""
  rows = [line for line in _page().splitlines() if line.startswith('| `')]
  assert len(rows) == len(_ROW.findall(_page())) >= 30
  assert _page().count('\n## One ') == 4
