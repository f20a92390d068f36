"""Tests of keeping the best checkpoint."""
import pytest

from deeplab.core.storage import files
from deeplab.utils.evaluating import checkpoints


def make_checkpoint(folder, step):
  prefix = folder / ('model.ckpt-%d' % step)
  for suffix in ('.index', '.data-00000-of-00001', '.meta'):
    (folder / (prefix.name + suffix)).write_bytes(b'%d %s' % (step, suffix.encode()))
  return str(prefix)


def test_higher_miou_replaces_the_checkpoint_kept(tmp_path):
  folder = tmp_path / 'best'
  keep = lambda step, miou: checkpoints.keep_if_best(  # noqa: E731
      make_checkpoint(tmp_path, step), miou, str(folder))
  assert keep(1, 0.5) == str(folder / 'model.ckpt-1')
  assert keep(2, 0.4) is None
  assert keep(3, 0.5) is None
  assert keep(4, None) is None
  assert checkpoints.read_best(str(folder)) == {'miou': 0.5, 'checkpoint': 'model.ckpt-1'}
  assert keep(10, 0.6) == str(folder / 'model.ckpt-10')
  assert sorted(path.name for path in folder.iterdir()) == [
      'best.json', 'model.ckpt-10.data-00000-of-00001', 'model.ckpt-10.index',
      'model.ckpt-10.meta']
  assert (folder / 'model.ckpt-10.index').read_bytes() == b'10 .index'


def test_what_killed_processes_left_goes_with_the_next_best(tmp_path):
  folder = tmp_path / 'best'
  folder.mkdir()
  checkpoints.keep_if_best(make_checkpoint(tmp_path, 1), 0.5, str(folder))
  # Killed after the copy and before the record; and within the copy.
  make_checkpoint(folder, 2)
  (folder / '.model.ckpt-3.data-00000-of-00001.77-0123abcd.tmp').write_bytes(b'half')
  (folder / 'notes.txt').write_bytes(b'mine')
  checkpoints.keep_if_best(make_checkpoint(tmp_path, 4), 0.6, str(folder))
  assert sorted(path.name for path in folder.iterdir()) == [
      'best.json', 'model.ckpt-4.data-00000-of-00001', 'model.ckpt-4.index', 'model.ckpt-4.meta',
      'notes.txt']


def test_a_checkpoint_that_is_deleted_while_it_is_copied_is_told(tmp_path, monkeypatch):
  prefix = make_checkpoint(tmp_path, 1)
  copy = files.copy

  def delete_first(source, target):
    for path in tmp_path.glob('model.ckpt-1.*'):
      path.unlink()
    return copy(source, target)

  monkeypatch.setattr(files, 'copy', delete_first)
  with pytest.raises(ValueError, match='model.ckpt-1 was deleted before'):
    checkpoints.keep_if_best(prefix, 0.5, str(tmp_path / 'best'))
  assert not (tmp_path / 'best' / 'best.json').exists()


def test_deleted_checkpoint_and_broken_record_are_told(tmp_path):
  with pytest.raises(ValueError, match='model.ckpt-9 was deleted before'):
    checkpoints.keep_if_best(str(tmp_path / 'model.ckpt-9'), 0.5, str(tmp_path / 'best'))
  (tmp_path / 'best' / 'best.json').write_text('{')
  with pytest.raises(ValueError, match='best.json cannot be read as JSON: .*remove the folder'):
    checkpoints.read_best(str(tmp_path / 'best'))
  (tmp_path / 'best' / 'best.json').write_text('{"miou": "much"}')
  with pytest.raises(ValueError, match='is not the record of a best checkpoint'):
    checkpoints.read_best(str(tmp_path / 'best'))
