"""Tests of moving several files and folders, all or none."""
import pytest

from deeplab.core.storage import files
from deeplab.deployment.exporting import checked_export
from deeplab.testing import tiny_trees

LAST = 'whole'


@pytest.fixture(name='stage')
def make_stage(tmp_path):
  """A folder with new files a and c and a new folder b; returns it."""
  stage = tmp_path / 'stage'
  (stage / 'b').mkdir(parents=True)
  for name in ('a', 'c', 'b/' + LAST):
    (stage / name).write_text('new')
  return stage


@pytest.fixture(name='place')
def make_place(tmp_path):
  """The folder to move to, with an earlier a and b and no c."""
  place = tmp_path / 'place'
  (place / 'b').mkdir(parents=True)
  for name in ('a', 'b/' + LAST, 'b/more'):
    (place / name).write_text('earlier')
  return place


def move(stage, place):
  checked_export.move_all(
      [(str(stage / name), '%s/%s' % (place, name)) for name in 'abc'], str(stage), LAST)


@pytest.mark.parametrize('scheme', ['', 'file://'])
def test_new_ones_take_the_place_of_earlier_ones(stage, place, scheme):
  move(stage, '%s%s' % (scheme, place))
  assert tiny_trees.contents(place) == {'a': b'new', 'b/' + LAST: b'new', 'c': b'new'}


@pytest.mark.parametrize('scheme', ['', 'file://'])
@pytest.mark.parametrize('is_folder, name, message', [
    (True, 'c', 'Cannot write .*place/c: there is a folder of that name'),
    (True, 'b', 'Cannot write .*place/b: there is a folder of that name'),
    (False, 'b', 'Cannot write the folder .*place/b: there is a file of that name')])
def test_a_target_in_the_way_stops_before_the_first_move(stage, place, scheme, is_folder, name,
                                                         message):
  files.remove_tree(str(place / 'b'))
  if is_folder:
    (place / name).mkdir()
    (place / name / 'mine').write_text('mine')
  else:
    (place / name).write_text('mine')
  before, staged = tiny_trees.contents(place), tiny_trees.contents(stage)
  with pytest.raises(ValueError, match=message):
    move(stage, '%s%s' % (scheme, place))
  assert tiny_trees.contents(place) == before
  assert tiny_trees.contents(stage) == staged


@pytest.mark.parametrize('failing', 'abc')
@pytest.mark.parametrize('has_earlier', [True, False])
def test_earlier_ones_are_back_after_a_move_that_failed(stage, place, monkeypatch, failing,
                                                        has_earlier):
  if not has_earlier:
    files.remove_tree(str(place))
    place.mkdir()
  before = tiny_trees.contents(place)
  replace = files.replace

  def replace_unless_failing(source, target):
    if source == str(stage / failing):
      raise OSError('no more space')
    replace(source, target)

  monkeypatch.setattr(files, 'replace', replace_unless_failing)
  with pytest.raises(OSError, match='no more space'):
    move(stage, place)
  assert tiny_trees.contents(place) == before
