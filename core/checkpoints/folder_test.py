"""Tests of which checkpoint of a folder counts, after crashes, copies and moves."""
import shutil

import numpy as np
import pytest

from deeplab.core.checkpoints import folder as checkpoint_folder
from deeplab.core.checkpoints import restoring
from deeplab.core.checkpoints.restoring_test import write_checkpoint
from deeplab.core.tf_compat import tf
from deeplab.testing import damage


def test_a_copied_folder_stands_for_its_own_checkpoints(tmp_path):
  folder, copy = tmp_path / 'run', tmp_path / 'copy'
  folder.mkdir()
  write_checkpoint(folder, 5)
  shutil.copytree(str(folder), str(copy))
  # As TensorFlow writes it by itself: absolute.
  assert str(folder) in (copy / 'checkpoint').read_text()
  write_checkpoint(folder, 6)
  assert restoring.resolve_checkpoint(str(copy)) == str(copy / 'model.ckpt-5')
  assert checkpoint_folder.recorded(str(copy)) == [str(copy / 'model.ckpt-5')]
  for path in copy.glob('model.ckpt-5.*'):
    path.unlink()
  assert restoring.resolve_checkpoint(str(copy)) is None


def test_a_folder_that_only_points_elsewhere_says_where(tmp_path):
  folder, pointer = tmp_path / 'run', tmp_path / 'pointer'
  folder.mkdir()
  pointer.mkdir()
  write_checkpoint(folder, 5)
  shutil.copy(str(folder / 'checkpoint'), str(pointer))
  with pytest.raises(ValueError, match='names another one: --checkpoint_dir=%s'
                                       % (folder / 'model.ckpt-5')):
    restoring.require_checkpoint(str(pointer), 'checkpoint_dir')


def test_the_file_of_tensorflow_may_name_an_earlier_checkpoint(tmp_path):
  for step in (5, 6):
    write_checkpoint(tmp_path, step)
  (tmp_path / 'checkpoint').write_text('model_checkpoint_path: "model.ckpt-5"\n')
  assert restoring.resolve_checkpoint(str(tmp_path)) == str(tmp_path / 'model.ckpt-5')


@pytest.mark.parametrize('content', [
    b'', b'model_checkpoint_path: "mod', b'\xff\xfe\x00', b'\0' * 40,
    b'model_checkpoint_path: "model.ckpt-99"\n'])
def test_a_damaged_file_of_tensorflow_is_passed_over(tmp_path, content):
  for step in (5, 12):
    write_checkpoint(tmp_path, step)
  (tmp_path / 'checkpoint').write_bytes(content)
  assert restoring.resolve_checkpoint(str(tmp_path)) == str(tmp_path / 'model.ckpt-12')
  assert checkpoint_folder.newest_to_continue(str(tmp_path)) == str(tmp_path / 'model.ckpt-12')


_DATA = 'model.ckpt-12.data-00000-of-00001'
# What a crash of the machine, a full quota or a copy cut short leaves -> what is said of it.
_INCOMPLETE = {
    'no data': (_DATA, None, 'only 0 of its 1 data files'),
    'empty data': (_DATA, b'', 'its data have 0 of '),
    'half of the data': (_DATA, 300, 'its data have 300 of '),
    'empty index': ('model.ckpt-12.index', b'', 'it cannot be read: '),
    'half of the index': ('model.ckpt-12.index', 90, 'it cannot be read: '),
}


def write_incomplete(folder, kind):
  name, content, told = _INCOMPLETE[kind]
  write_checkpoint(folder, 12)
  path = folder / name
  data = path.read_bytes()
  path.unlink()
  if content is not None:
    path.write_bytes(data[:content] if isinstance(content, int) else content)
  return told


@pytest.mark.parametrize('kind', sorted(_INCOMPLETE))
def test_of_a_folder_the_newest_whole_checkpoint_counts(tmp_path, caplog, kind):
  write_checkpoint(tmp_path, 4)
  write_checkpoint(tmp_path, 5)
  told = write_incomplete(tmp_path, kind)
  for _ in range(2):
    assert checkpoint_folder.newest_to_continue(str(tmp_path)) == str(tmp_path / 'model.ckpt-5')
  warnings = [record.getMessage() for record in caplog.records if 'left out' in record.msg]
  assert len(warnings) == 1
  assert 'Checkpoint %s/model.ckpt-12 is left out: %s' % (tmp_path, told) in warnings[0]


@pytest.mark.parametrize('kind', sorted(_INCOMPLETE))
def test_without_a_whole_checkpoint_nothing_begins_anew(tmp_path, kind):
  told = write_incomplete(tmp_path, kind)
  assert restoring.resolve_checkpoint(str(tmp_path)) is None
  with pytest.raises(ValueError, match='No checkpoint in .* is whole: .*model.ckpt-12: ' + told):
    checkpoint_folder.newest_to_continue(str(tmp_path))
  with pytest.raises(ValueError, match='--x=.*no checkpoint in the folder is whole: .*' + told):
    restoring.require_checkpoint(str(tmp_path), 'x')
  with pytest.raises(ValueError, match='--x=.*model.ckpt-12 is damaged: ' + told):
    restoring.require_checkpoint(str(tmp_path / 'model.ckpt-12'), 'x')
  with pytest.raises(ValueError, match='model.ckpt-12 (is damaged|cannot be read)'):
    restoring.global_step(str(tmp_path / 'model.ckpt-12'))


def test_a_training_passes_over_a_checkpoint_with_wrong_bytes(tmp_path, caplog):
  for step in (5, 12):
    write_checkpoint(tmp_path, step)
  damage.flip_middle_bit(tmp_path / _DATA)
  # Others meet the damage when they load it: values are many bytes to read at each look.
  assert checkpoint_folder.newest(str(tmp_path)) == str(tmp_path / 'model.ckpt-12')
  assert checkpoint_folder.newest_to_continue(str(tmp_path)) == str(tmp_path / 'model.ckpt-5')
  assert 'model.ckpt-12 is left out: it cannot be read: ' in caplog.text
  (tmp_path / 'model.ckpt-5.index').unlink()
  with pytest.raises(ValueError, match='No checkpoint in .* is whole: .*-12: it cannot be read'):
    checkpoint_folder.newest_to_continue(str(tmp_path))


def test_a_training_passes_over_a_checkpoint_that_is_not_finite(tmp_path, caplog):
  write_checkpoint(tmp_path, 5)
  with tf.Graph().as_default(), tf.Session() as session:
    for name, value in (('a', 1.0), ('b', np.nan), ('c', -np.inf)):
      tf.get_variable(name, initializer=value)
    session.run(tf.global_variables_initializer())
    tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'), global_step=12)
  assert checkpoint_folder.newest_to_continue(str(tmp_path)) == str(tmp_path / 'model.ckpt-5')
  assert ('model.ckpt-12 is left out: b is NaN or infinite, and 1 more, after a training that went '
          'wrong.') in caplog.text


def test_where_checkpoints_are_gone_nothing_begins_anew(tmp_path):
  assert checkpoint_folder.newest_to_continue(str(tmp_path / 'absent')) is None
  assert checkpoint_folder.newest_to_continue(str(tmp_path)) is None
  (tmp_path / 'checkpoint').write_text('model_checkpoint_path: "/gone/model.ckpt-9"\n')
  with pytest.raises(ValueError, match='/checkpoint names .*/model.ckpt-9, which is not there'):
    checkpoint_folder.newest_to_continue(str(tmp_path))


def test_what_a_killed_training_was_writing_is_removed(tmp_path):
  write_checkpoint(tmp_path, 5)
  whole = {path.name for path in tmp_path.iterdir()} | {
      'losses.csv', 'notes.tmp', '.hidden', 'train.lock', '.train.lock.7-0123abcd.tmp',
      'model.ckpt-9.index.old'}
  for name in whole - {path.name for path in tmp_path.iterdir()}:
    (tmp_path / name).write_bytes(b'')
  for name in ('model.ckpt-6.data-00000-of-00001.tempstate15936218417286155346',
               'model.ckpt-6.index.tempstate123', 'model.ckpt-6.meta.tmp' + 'a1' * 16,
               'checkpoint.tmp' + 'a1' * 16, 'graph.pbtxt.tmp' + 'a1' * 16,
               '.losses.csv.77-0123abcd.tmp', '.run.json.77-0123abcd.tmp'):
    (tmp_path / name).write_bytes(b'half')
  checkpoint_folder.remove_unfinished(str(tmp_path))
  assert {path.name for path in tmp_path.iterdir()} == whole


def test_a_checkpoint_in_one_file_as_tensorflow_once_wrote_it_is_whole(tmp_path):
  with tf.Graph().as_default(), tf.Session() as session:
    tf.get_variable('a', [2])
    session.run(tf.global_variables_initializer())
    prefix = tf.train.Saver(write_version=tf.train.SaverDef.V1).save(
        session, str(tmp_path / 'old.ckpt'))
  assert checkpoint_folder.problem_of(prefix) is None
