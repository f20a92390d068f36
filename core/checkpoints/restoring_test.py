"""Tests of finding, checking and awaiting checkpoints."""
import itertools
import os
import shutil
import types

import numpy as np
import pytest

from deeplab.core.checkpoints import restoring
from deeplab.core.storage import files
from deeplab.core.tf_compat import tf

NAMES_TO_SHAPES = {
    'MobilenetV2/Conv/weights': [3, 3, 3, 8],
    'logits/semantic/weights': [1, 1, 8, 21],
    'logits/semantic/biases': [21],
}


def write_checkpoint(folder, step, names_to_shapes=None, has_step=True):
  """Writes zeros as a checkpoint; returns its prefix."""
  with tf.Graph().as_default(), tf.Session() as session:
    for name, shape in (names_to_shapes or NAMES_TO_SHAPES).items():
      tf.get_variable(name, shape, initializer=tf.zeros_initializer())
    if has_step:
      tf.train.get_or_create_global_step()
    session.run(tf.global_variables_initializer())
    if has_step:
      session.run(tf.train.get_global_step().assign(step))
    return tf.train.Saver().save(session, str(folder / 'model.ckpt'), global_step=step)


def check(prefix, names_to_shapes):
  with tf.Graph().as_default():
    restoring.check_restorable(prefix, [
        tf.get_variable(name, shape) for name, shape in names_to_shapes.items()])


def test_folder_stands_for_its_newest_checkpoint(tmp_path):
  assert restoring.resolve_checkpoint(str(tmp_path)) is None
  write_checkpoint(tmp_path, 5)
  newest = write_checkpoint(tmp_path, 12)
  assert restoring.resolve_checkpoint(str(tmp_path)) == newest
  assert restoring.global_step(newest) == 12


def test_moved_folder_without_valid_state_file_goes_by_step(tmp_path):
  for step in (9, 10):
    write_checkpoint(tmp_path, step)
  os.remove(str(tmp_path / 'checkpoint'))
  assert restoring.resolve_checkpoint(str(tmp_path)).endswith('model.ckpt-10')
  (tmp_path / 'checkpoint').write_text('model_checkpoint_path: "/gone/model.ckpt-10"\n')
  assert restoring.resolve_checkpoint(str(tmp_path)).endswith('model.ckpt-10')


def test_prefix_and_files_stand_for_themselves(tmp_path):
  prefix = write_checkpoint(tmp_path, 5)
  write_checkpoint(tmp_path, 6)
  for path in (prefix, prefix + '.index', prefix + '.meta',
               prefix + '.data-00000-of-00001'):
    assert restoring.resolve_checkpoint(path) == prefix
  assert restoring.resolve_checkpoint(str(tmp_path / 'model.ckpt-7')) is None
  assert restoring.resolve_checkpoint(None) is None


def test_step_comes_from_the_name_where_the_variable_is_absent(tmp_path):
  assert restoring.global_step(write_checkpoint(tmp_path, 31, has_step=False)) == 31


def test_required_checkpoint_names_flag_and_neighbours(tmp_path):
  with pytest.raises(ValueError, match='--checkpoint_path=.*the folder holds no checkpoint'):
    restoring.require_checkpoint(str(tmp_path), 'checkpoint_path')
  write_checkpoint(tmp_path, 5)
  with pytest.raises(ValueError, match='no such checkpoint; there are model.ckpt-5 in'):
    restoring.require_checkpoint(str(tmp_path / 'model.ckpt-6'), 'checkpoint_path')


def test_unreadable_checkpoint_is_named(tmp_path):
  prefix = write_checkpoint(tmp_path, 5)
  (tmp_path / 'model.ckpt-5.index').write_bytes(b'not an index')
  with pytest.raises(ValueError, match='model.ckpt-5 cannot be read'):
    restoring.global_step(prefix)


def test_the_number_of_classes_is_that_of_the_logits(tmp_path):
  assert restoring.num_classes(write_checkpoint(tmp_path, 1)) == 21
  prefix = write_checkpoint(tmp_path, 2, {'MobilenetV2/Conv/weights': [3, 3, 3, 8]})
  with pytest.raises(ValueError, match='model.ckpt-2 is no checkpoint of this package: it has no '
                                       'variable logits/semantic/biases.'):
    restoring.num_classes(prefix)


def test_values_that_are_not_those_written_are_told(tmp_path):
  prefix = write_checkpoint(tmp_path, 1)
  with open(prefix + '.data-00000-of-00001', 'r+b') as f:
    f.write(b'\1')
  with tf.Graph().as_default():
    for name, shape in NAMES_TO_SHAPES.items():
      tf.get_variable(name, shape)
    with pytest.raises(ValueError, match='Checkpoint .*model.ckpt-1 is damaged: .*Copy it again'):
      restoring.open_session(tf.train.Saver(), prefix)


def test_same_model_is_restorable_whatever_else_is_stored(tmp_path):
  stored = dict(NAMES_TO_SHAPES, **{'logits/semantic/biases/Momentum': [21],
                                    'MobilenetV2/Logits/weights': [8, 4]})
  check(write_checkpoint(tmp_path, 1, stored), NAMES_TO_SHAPES)


def test_values_that_are_not_finite_are_refused_where_they_are_used(tmp_path):
  with tf.Graph().as_default(), tf.Session() as session:
    for name, value in (('good', 1.0), ('bad', np.nan)):
      tf.get_variable(name, initializer=value)
    session.run(tf.global_variables_initializer())
    prefix = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  check(prefix, {'good': []})
  with pytest.raises(ValueError, match='%s cannot be used: bad is NaN or infinite, after a '
                                       'training that went wrong. Take an earlier' % prefix):
    check(prefix, {'good': [], 'bad': []})


def test_other_number_of_classes_is_named(tmp_path):
  prefix = write_checkpoint(tmp_path, 1)
  with pytest.raises(ValueError) as error:
    check(prefix, dict(NAMES_TO_SHAPES, **{'logits/semantic/weights': [1, 1, 8, 11],
                                           'logits/semantic/biases': [11]}))
  text = str(error.value)
  assert 'Checkpoint of another model: %s' % prefix in text
  assert ('logits/semantic/weights is [1,1,8,21] in the checkpoint, [1,1,8,11] here') in text
  assert 'another number of classes, 21, and this is for 11: check the dataset.' in text
  assert '\n' not in text


def test_other_backbone_is_named(tmp_path):
  prefix = write_checkpoint(tmp_path, 1)
  other = {'xception_65/conv%d/weights' % i: [3] for i in range(5)}
  with pytest.raises(ValueError) as error:
    check(prefix, dict(other, **{'logits/semantic/biases': [21]}))
  text = str(error.value)
  assert ('not in the checkpoint: xception_65/conv0/weights, xception_65/conv1/weights, '
          'xception_65/conv2/weights and 2 more variables') in text
  assert 'Check --model_variant, --depth_multiplier and --divisible_by; it has MobilenetV2/' in text


def test_float_checkpoint_of_a_quantised_model_is_named(tmp_path):
  prefix = write_checkpoint(tmp_path, 5)
  with pytest.raises(ValueError, match='not in the checkpoint: MobilenetV2/Conv/act_quant/max, .*'
                     'trained in floats: leave out --quantize_delay_step, or train with it'):
    check(prefix, dict(NAMES_TO_SHAPES, **{'MobilenetV2/Conv/act_quant/min': [],
                                           'MobilenetV2/Conv/act_quant/max': []}))


def test_head_parts_on_one_side_only_are_refused(tmp_path):
  with_decoder = dict(NAMES_TO_SHAPES, **{'decoder/decoder_conv0/weights': [2]})
  prefix = write_checkpoint(tmp_path, 1)
  with pytest.raises(ValueError, match='not in the checkpoint: decoder/decoder_conv0/weights'
                                       '.*Check --decoder_output_stride'):
    check(prefix, with_decoder)
  prefix = write_checkpoint(tmp_path, 2, with_decoder)
  with pytest.raises(ValueError, match='only in the checkpoint: decoder/.*'
                                       'Check --decoder_output_stride'):
    check(prefix, NAMES_TO_SHAPES)


@pytest.mark.parametrize('name', ['decoder_conv0', 'decoder_conv0/decoder_conv0_2'])
def test_the_number_of_classes_is_that_of_a_decoder_that_makes_the_logits(tmp_path, name):
  prefix = write_checkpoint(tmp_path, 1, {'decoder/%s/biases' % name: [19],
                                          'decoder/feature_projection0/biases': [48]})
  assert restoring.num_classes(prefix) == 19


def test_waiting_starts_at_the_newest_and_goes_on_to_newer_ones(tmp_path):
  write_checkpoint(tmp_path, 1)
  newest = write_checkpoint(tmp_path, 2)
  found = restoring.wait_for_checkpoints(str(tmp_path), 0, max_number=2)
  assert next(found) == newest
  newer = write_checkpoint(tmp_path, 3)
  assert next(found) == newer
  assert list(found) == []


def test_waiting_ends_with_what_was_waited_for(tmp_path):
  absent = tmp_path / 'absent'
  with pytest.raises(ValueError, match='Waited 0 s for a first checkpoint in .*absent'):
    next(restoring.wait_for_checkpoints(str(absent), 0, 1, timeout=0))
  prefix = write_checkpoint(tmp_path, 1)
  found = restoring.wait_for_checkpoints(str(tmp_path), 0, 0, timeout=0)
  assert next(found) == prefix
  with pytest.raises(ValueError, match='newer than .*model.ckpt-1'):
    next(found)


def test_setting_the_clock_neither_ends_nor_prolongs_waiting(tmp_path, monkeypatch):
  steady, slept = [0.0], []

  def sleep(secs):
    assert len(slept) < 20, 'endless'
    slept.append(secs)
    steady[0] += secs

  # An hour forward or back at every look.
  jumps = itertools.cycle([1e9, 1e9 + 3600, 1e9 - 3600])
  monkeypatch.setattr(restoring, 'time', types.SimpleNamespace(
      time=lambda: next(jumps), monotonic=lambda: steady[0], sleep=sleep))
  with pytest.raises(ValueError, match='Waited 10 s for a first checkpoint'):
    next(restoring.wait_for_checkpoints(str(tmp_path), 0, 1, timeout=10))
  assert sum(slept) == 10
  del slept[:]
  write_checkpoint(tmp_path, 1)
  found = restoring.wait_for_checkpoints(str(tmp_path), 60, 2)
  next(found)
  write_checkpoint(tmp_path, 2)
  next(found)
  assert slept == [60]


def test_prefix_is_yielded_once(tmp_path):
  prefix = write_checkpoint(tmp_path, 1)
  write_checkpoint(tmp_path, 2)
  assert list(restoring.wait_for_checkpoints(prefix, 100, 0)) == [prefix]


def test_absent_prefix_is_not_waited_for(tmp_path):
  write_checkpoint(tmp_path, 1)
  with pytest.raises(ValueError, match='model.ckpt-7: no such checkpoint; there are model.ckpt-1'):
    next(restoring.wait_for_checkpoints(str(tmp_path / 'model.ckpt-7'), 0, 1))


def test_deleted_checkpoint_is_not_yielded(tmp_path):
  folder = tmp_path / 'run'
  folder.mkdir()
  write_checkpoint(folder, 1)
  shutil.rmtree(str(folder))
  with pytest.raises(ValueError, match='first checkpoint'):
    next(restoring.wait_for_checkpoints(str(folder), 0, 1, timeout=0))


def test_paths_in_absent_folders_are_no_checkpoints(tmp_path):
  assert restoring.resolve_checkpoint(str(tmp_path / 'absent' / 'model.ckpt-1')) is None
  with pytest.raises(ValueError, match='no such checkpoint; give a folder'):
    restoring.require_checkpoint(str(tmp_path / 'absent' / 'model.ckpt-1'), 'x')


def test_a_folder_that_is_made_at_this_moment_is_no_checkpoint(tmp_path, monkeypatch):
  folder = str(tmp_path / 'run')
  answers = [False]
  is_folder = files.is_dir
  monkeypatch.setattr(files, 'is_dir', lambda path: (
      answers.pop() if path == folder and answers else is_folder(path)))
  os.mkdir(folder)
  assert restoring.resolve_checkpoint(folder) is None
  assert not answers
