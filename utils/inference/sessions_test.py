"""Tests of work on checkpoints that come and go."""
import pytest

from deeplab.utils.inference import sessions


def make_prefix(folder, step):
  prefix = folder / ('model.ckpt-%d' % step)
  (folder / (prefix.name + '.index')).write_bytes(b'')
  return prefix


def test_deleted_checkpoint_is_left_out(tmp_path, caplog):
  prefixes = [str(make_prefix(tmp_path, step)) for step in (1, 2)]
  done = []

  def work(prefix):
    if prefix == prefixes[0]:
      (tmp_path / 'model.ckpt-1.index').unlink()
      raise ValueError('cannot be read')
    done.append(prefix)

  with caplog.at_level('WARNING'):
    sessions.for_each_checkpoint(prefixes, work)
  assert done == prefixes[1:]
  assert 'model.ckpt-1 was deleted meanwhile' in caplog.text


def test_errors_of_checkpoints_that_are_there_are_raised(tmp_path):
  def work(prefix):
    raise ValueError('of another model')

  with pytest.raises(ValueError, match='of another model'):
    sessions.for_each_checkpoint([str(make_prefix(tmp_path, 1))], work)


def test_error_is_raised_if_all_checkpoints_were_deleted(tmp_path):
  def work(prefix):
    raise ValueError('cannot be read')

  with pytest.raises(ValueError, match='cannot be read'):
    sessions.for_each_checkpoint([str(tmp_path / 'model.ckpt-1')], work)
