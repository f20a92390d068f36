"""Follows pages g3doc/add_a*.md to the letter: what they say is all that an addition needs.

Edits of a page are paragraphs "In `file`, above `start of a line`:", or below, then code.
"""
import os
import re
import subprocess
import sys

import pytest

from deeplab.testing import tiny_run

_PAGES = ('add_a_loss', 'add_a_learning_rate_policy', 'add_an_augmentation', 'add_a_dataset')
_EDIT = re.compile(r'^In `([^`]+)`, (above|below) `([^`]+)`:\n\n```python\n(.*?)```', re.M | re.S)
_TEST = re.compile(r'^def (test_\w+)', re.M)
# Of rows without a test of their own.
_TESTS_OF_ROWS = {'add_a_dataset': 'test_every_row_has_its_sizes_classes_and_colours'}
_SKIPPED_FOLDERS = ('g3doc', 'experiments', 'build')


@pytest.fixture(scope='module', name='followed')
def follow_all(tmp_path_factory):
  """Returns (dict, page -> list of its edits, dict, test -> outcome) with all pages followed."""
  folder = tmp_path_factory.mktemp('followed') / 'deeplab'
  _link_package(folder)
  edits = {page: _edits_of(page) for page in _PAGES}
  for page in _PAGES:
    for edit in edits[page]:
      _apply(folder, *edit)
  tests = sorted({path for page in _PAGES for path, _, _, _ in edits[page]
                  if path.endswith('_test.py')})
  done = subprocess.run(
      [sys.executable, '-m', 'pytest', '-v', '-p', 'no:cacheprovider', '-k',
       ' or '.join(_TESTS_OF_ROWS.get(page) or ' or '.join(_names(edits[page]))
                   for page in _PAGES)] + tests,
      cwd=str(folder), env=dict(os.environ, PYTHONPATH=str(folder.parent)),
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
  return edits, done.stdout


def _link_package(folder):
  """Makes a package of links to the files of this one, so that some can be replaced."""
  for place, folders, names in os.walk(tiny_run.ROOT):
    folders[:] = [name for name in folders
                  if not name.startswith('.') and name not in _SKIPPED_FOLDERS]
    target = folder / os.path.relpath(place, tiny_run.ROOT)
    target.mkdir(parents=True)
    for name in names:
      os.symlink(os.path.join(place, name), str(target / name))


def _edits_of(page):
  with open(os.path.join(tiny_run.ROOT, 'g3doc', page + '.md'), encoding='utf-8') as stream:
    return _EDIT.findall(stream.read())


def _names(edits):
  return [name for _, _, _, code in edits for name in _TEST.findall(code)]


def _apply(folder, path, side, anchor, code):
  """Writes code above or below the one line that starts with the anchor."""
  place = folder / path
  lines = place.read_text(encoding='utf-8').splitlines(keepends=True)
  index, = [i for i, line in enumerate(lines) if line.startswith(anchor)]
  index += side == 'below'
  place.unlink()
  place.write_text(''.join(lines[:index] + [code] + lines[index:]), encoding='utf-8')


@pytest.mark.parametrize('page', _PAGES)
def test_an_addition_is_what_its_page_says(followed, page):
  edits, output = followed
  names = [_TESTS_OF_ROWS[page]] if page in _TESTS_OF_ROWS else _names(edits[page])
  assert names
  for name in names:
    assert re.search(r'::%s\S* PASSED' % name, output), output
    assert not re.search(r'::%s\S* (FAILED|ERROR)' % name, output), output


@pytest.mark.parametrize('page', _PAGES)
def test_an_addition_touches_two_files_and_a_test(followed, page):
  touched = {path for path, _, _, _ in followed[0][page]}
  assert len([path for path in touched if not path.endswith('_test.py')]) <= 2
  assert len(touched) <= 3
