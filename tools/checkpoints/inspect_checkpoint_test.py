"""Tests of the program on checkpoints that a session has written, and on bad input."""
import os
import shutil

import numpy as np
import pytest

from deeplab import model
from deeplab.core import quantization
from deeplab.core.options import NetworkOptions
from deeplab.core.tf_compat import tf
from deeplab.testing import forked_scripts, tiny_run
from deeplab.tools.checkpoints.architecture_guess_test import (
    PUBLISHED_FLAGS,
    published_flags,
    published_num_classes,
    published_shapes,
)

_SCRIPT = 'tools/checkpoints/inspect_checkpoint.py'
_OPTIONS = NetworkOptions({'semantic': 21}, output_stride=16, depth_multiplier=0.25,
                        decoder_output_stride=[4], add_image_level_feature=False)
_FLAGS = ('  --model_variant=mobilenet_v2 --output_stride=16 --decoder_output_stride=4 \\\n'
          '  --depth_multiplier=0.25 --noadd_image_level_feature\n')
_STEP = 7


def save(folder, optimizer=None, is_frozen=False, output_stride=16):
  """Writes a random model; returns its prefix (or .pb) and its variables, no slots."""
  path = os.path.join(str(folder), 'model.ckpt')
  with tf.Graph().as_default() as graph, tf.Session() as session:
    logits = model.multi_scale_logits(
        tf.zeros([1, 33, 33, 3]), _OPTIONS._replace(output_stride=output_stride), None)
    variables = tf.global_variables()
    step = tf.train.get_or_create_global_step()
    if optimizer:
      optimizer().apply_gradients(
          [(tf.zeros_like(v), v) for v in tf.trainable_variables()], step)
    session.run(tf.global_variables_initializer())
    if is_frozen:
      output = logits['semantic'][model.MERGED_LOGITS_SCOPE].op.name
      graph_def = tf.graph_util.convert_variables_to_constants(
          session, graph.as_graph_def(), [output])
      tf.io.write_graph(graph_def, str(folder), 'frozen.pb', as_text=False)
      return os.path.join(str(folder), 'frozen.pb'), variables
    session.run(step.assign(_STEP))
    return tf.train.Saver().save(session, path, global_step=step), variables


@pytest.fixture(scope='module', name='checkpoint')
def save_checkpoint(tmp_path_factory):
  return save(tmp_path_factory.mktemp('adam'), lambda: tf.train.AdamOptimizer(0.1))


def num_values(variables):
  return sum(int(np.prod(v.shape.as_list())) for v in variables)


def row_of(log, what):
  """Returns the cells of a row of a table, numbers as int."""
  row, = [line for line in log.splitlines() if line.startswith(what + '  ')]
  return [int(cell.replace(',', '')) for cell in row[len(what):].split()]


def test_tables_and_flags(checkpoint):
  prefix, variables = checkpoint
  result = forked_scripts.run(_SCRIPT, os.path.dirname(prefix))
  assert result.code == 0, result.log
  log = result.log
  trainable = [v for v in variables if 'moving_' not in v.op.name]
  assert 'Checkpoint   %s\n' % prefix in log
  assert 'Global step  7\n' in log
  assert row_of(log, 'network') == [len(variables), num_values(variables)]
  assert row_of(log, '  of it trainable') == [len(trainable), num_values(trainable)]
  assert row_of(log, 'slots: Adam') == [2 * len(trainable), 2 * num_values(trainable)]
  # With the step and the two powers of Adam.
  assert row_of(log, 'all') == [len(variables) + 2 * len(trainable) + 3,
                                num_values(variables) + 2 * num_values(trainable) + 3]
  assert row_of(log, 'logits/semantic') == [2, 257 * 21]
  assert log.index('expanded_conv_2 ') < log.index('expanded_conv_10 ')
  assert _FLAGS in log
  assert '21 classes (semantic), as many as in pascal_voc_seg.' in log
  assert 'has %d variables: all of them are here' % len(variables) in log


def test_every_variable_can_be_listed(checkpoint):
  prefix, variables = checkpoint
  result = forked_scripts.run(_SCRIPT, prefix + '.index', '--all', '--nocompare')
  assert result.code == 0, result.log
  cells = [line.split() for line in result.log.splitlines()]
  assert ['logits/semantic/weights', '1,1,256,21', '5,376'] in cells
  assert ['logits/semantic/weights/Adam_1', '1,1,256,21', '5,376'] in cells
  assert ['global_step', 'scalar', '1'] in cells
  assert all(any(row[:1] == [v.op.name] for row in cells) for v in variables)
  assert 'all of them are here' not in result.log


@pytest.mark.parametrize('name', sorted(PUBLISHED_FLAGS))
def test_checkpoints_of_all_published_kinds_are_known(name, tmp_path):
  shapes = published_shapes(name)
  names, prefix = sorted(shapes), str(tmp_path / 'model.ckpt-0')
  with tf.Graph().as_default(), tf.Session() as session:
    session.run(tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=names, shape_and_slices=[''] * len(names),
        tensors=[tf.zeros(shapes[each]) for each in names]))
  result = forked_scripts.run(_SCRIPT, prefix, '--nocompare')
  shutil.rmtree(str(tmp_path))  # up to 250 MB
  assert result.code == 0, result.log
  lines = [line.strip(' \\') for line in result.log.splitlines()]
  start = lines.index('Flags of the model, for train.py, eval.py, vis.py and export_model.py:')
  words = ' '.join(lines[start + 2:lines.index('', start + 2)])
  assert words == published_flags(name, tiny_run.ROOT)
  assert '%d classes (semantic)' % published_num_classes(name) in result.log
  network = [each for each in names if not quantization.is_range(each)]
  assert row_of(result.log, 'network')[0] == len(network)
  assert row_of(result.log, 'all')[0] == len(names)


def test_frozen_graph_has_the_weights_of_its_checkpoint(tmp_path):
  path, variables = save(tmp_path, is_frozen=True)
  result = forked_scripts.run(_SCRIPT, '--checkpoint_path=' + path)
  assert result.code == 0, result.log
  assert 'Global step  not stored\n' in result.log
  assert row_of(result.log, 'network') == [len(variables), num_values(variables)]
  assert _FLAGS in result.log
  assert 'all of them are here' in result.log


@pytest.mark.parametrize('output_stride', [8, 16, 32])
def test_frozen_graph_says_its_output_stride(tmp_path, output_stride):
  path, variables = save(tmp_path, is_frozen=True, output_stride=output_stride)
  result = forked_scripts.run(_SCRIPT, path)
  assert result.code == 0, result.log
  assert _FLAGS.replace('output_stride=16', 'output_stride=%d' % output_stride, 1) in result.log
  assert 'output_stride: the convolutions of the graph stride %d pixels.' % output_stride in (
      result.log.split('cannot say')[0])
  assert 'all of them are here' in result.log


@pytest.mark.parametrize('is_folder', [False, True])
def test_an_index_without_its_data_tells_names_and_shapes(checkpoint, tmp_path, is_folder):
  prefix, variables = checkpoint
  shutil.copy(prefix + '.index', str(tmp_path))
  name = os.path.basename(prefix)
  result = forked_scripts.run(_SCRIPT, str(tmp_path) if is_folder else str(tmp_path / name))
  assert result.code == 0, result.log
  assert 'Checkpoint   %s\n' % (tmp_path / name) in result.log
  assert 'Global step  not known\n' in result.log
  assert ('The weights are missing: only 0 of its 1 data files (*.data-...) are there. Names and '
          'shapes are those of the index.') in result.log
  assert row_of(result.log, 'network') == [len(variables), num_values(variables)]
  assert _FLAGS in result.log
  assert 'all of them are here' in result.log


def test_other_networks_are_listed_and_refused(tmp_path):
  with tf.Graph().as_default(), tf.Session() as session:
    tf.get_variable('vgg_16/conv1/weights', [3, 3])
    tf.get_variable('fc/biases', [10])
    session.run(tf.global_variables_initializer())
    prefix = tf.train.Saver().save(session, str(tmp_path / 'other.ckpt'))
  result = forked_scripts.run(_SCRIPT, prefix)
  assert result.code == 1
  assert row_of(result.log, 'vgg_16/conv1') == [1, 9]
  assert '%s: this is not a DeepLab checkpoint of this code. It has the scopes fc, vgg_16;' % (
      prefix) in result.last_line


def test_a_network_that_the_flags_do_not_build_is_compared(checkpoint, tmp_path):
  reader = tf.train.NewCheckpointReader(checkpoint[0])
  values = {v.op.name: reader.get_tensor(v.op.name) for v in checkpoint[1]}
  absent = 'MobilenetV2/expanded_conv_3/project/BatchNorm/beta'
  del values[absent]
  shapes = {'logits/semantic/weights': [1, 1, 256, 5], 'logits/semantic/biases': [5]}
  extra = ['logits/more_%02d/scale' % i for i in range(12)]
  shapes.update(dict.fromkeys(extra, [2]))
  values.update({name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
  names, prefix = sorted(values), str(tmp_path / 'model.ckpt-0')
  with tf.Graph().as_default(), tf.Session() as session:
    session.run(tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=names, shape_and_slices=[''] * len(names),
        tensors=[tf.constant(values[name]) for name in names]))
  result = forked_scripts.run(_SCRIPT, prefix)
  assert result.code == 0, result.log
  assert '5 classes (semantic).' in result.log
  assert ('A model built with these flags differs: %d variables are the same.'
          % (len(checkpoint[1]) - 1)) in result.log
  assert 'Not here: %s\n' % absent in result.log
  shown = [line for line in result.log.splitlines() if line.startswith('Stored, but not of')]
  assert len(shown) == 1 and 'logits/more_00/scale' in shown[0] and ' more' in shown[0]


def _without_index(prefix, folder):
  return os.path.join(folder, 'model.ckpt-8')


def _empty_folder(prefix, folder):
  os.mkdir(os.path.join(folder, 'empty'))
  return os.path.join(folder, 'empty')


def _short_index(prefix, folder):
  _cut(prefix + '.index', 100)
  return prefix


def _short_data(prefix, folder):
  _cut(prefix + '.data-00000-of-00001', 0)
  return prefix


def _wrong_data(prefix, folder):
  path = prefix + '.data-00000-of-00001'
  size = os.path.getsize(path)
  with open(path, 'wb') as f:
    f.write(b'\0' * size)
  return prefix


def _text_named_index(prefix, folder):
  with open(os.path.join(folder, 'text.index'), 'w') as f:
    f.write('no table\n' * 50)
  return os.path.join(folder, 'text.index')


def _text_named_pb(prefix, folder):
  with open(os.path.join(folder, 'text.pb'), 'w') as f:
    f.write('no graph\n')
  return os.path.join(folder, 'text.pb')


def _folded_graph(prefix, folder):
  with tf.Graph().as_default() as graph:
    tf.constant(1., name='MobilenetV2/Conv/Conv2D/folded_weights')
    tf.io.write_graph(graph.as_graph_def(), folder, 'folded.pb', as_text=False)
  return os.path.join(folder, 'folded.pb')


def _cut(path, size):
  with open(path, 'rb+') as f:
    f.truncate(size)


@pytest.mark.parametrize('make, message', [
    (_without_index, 'no such checkpoint; there are model.ckpt-7 in'),
    (_empty_folder, 'the folder holds no checkpoint'),
    (_short_index, 'model.ckpt-7 is damaged: it cannot be read: '),
    (_short_data, 'model.ckpt-7 is damaged: its data have 0 of '),
    (_wrong_data, 'its index can be read, its data cannot: '),
    (_text_named_index, 'text is damaged: it cannot be read: '),
    (_text_named_pb, 'cannot be read as a frozen graph: '),
    (_folded_graph, 'folded.pb: this is a graph rewritten for speed'),
])
def test_bad_input_gives_one_line(checkpoint, tmp_path, make, message):
  folder = os.path.dirname(checkpoint[0])
  copy = str(tmp_path / 'copy')
  shutil.copytree(folder, copy)
  result = forked_scripts.run(_SCRIPT, make(os.path.join(copy, 'model.ckpt-7'), copy))
  assert result.code == 1
  assert result.last_line.startswith('inspect_checkpoint.py: error: ')
  assert message in result.last_line
  assert 'Traceback' not in result.log
  assert len(result.log.strip().splitlines()) == 1


def test_one_checkpoint_must_be_named():
  for words in ([], ['a', 'b'], ['a', '--checkpoint_path=b']):
    result = forked_scripts.run(_SCRIPT, *words)
    assert result.code == 2
    assert 'Name one checkpoint' in result.last_line
