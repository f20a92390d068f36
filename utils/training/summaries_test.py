"""Tests of the TensorBoard summaries of training."""
import io

import numpy as np
from PIL import Image

from deeplab.core.images import painting
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.utils.pictures import drawing
from deeplab.utils.training import losses, summaries

COLORS = [[10, 20, 30], [200, 0, 0], [0, 100, 250]]
CAPTIONS = ['image', 'label', 'prediction', 'errors in red']
DATASET = registry.DatasetDescriptor({'train': 2}, 3, 255, colormap=COLORS)


def summarise(build):
  """Returns dict, tag -> tf.Summary.Value of what a function adds to a graph."""
  with tf.Graph().as_default(), tf.Session() as session:
    build()
    merged = tf.summary.merge_all()
    session.run(tf.global_variables_initializer())
    summary = tf.Summary.FromString(session.run(merged))
  return {value.tag: value for value in summary.value}


def pixels(value):
  return np.array(Image.open(io.BytesIO(value.image.encoded_image_string)))


def add_losses(scope=None):
  logits = tf.constant(np.random.RandomState(0).normal(size=(1, 3, 3, 3)).astype(np.float32))
  losses.add_softmax_cross_entropy_loss_for_each_scale(
      {'merged_logits': logits, 'logits_0.50': 2 * logits}, tf.ones([1, 3, 3, 1], tf.int32), 3,
      255, scope=scope)


def test_parts_of_the_loss_sum_up_to_the_total():
  with tf.Graph().as_default(), tf.Session() as session:
    with tf.name_scope('clone_0'):
      add_losses('semantic')
    for value in (0.25, 0.5):
      tf.losses.add_loss(tf.constant(value), tf.GraphKeys.REGULARIZATION_LOSSES)
    parts = summaries.loss_parts('clone_0')
    assert list(parts) == ['semantic_logits_0.50', 'semantic_merged_logits', 'regularization']
    values, total = session.run([parts, tf.losses.get_total_loss()])
  assert values['regularization'] == 0.75
  np.testing.assert_allclose(sum(values.values()), total, rtol=1e-6)


def test_without_l2_there_is_no_such_part():
  with tf.Graph().as_default():
    add_losses('semantic')
    assert list(summaries.loss_parts()) == ['semantic_logits_0.50',
                                            'semantic_merged_logits']


def test_losses_are_scalars():
  def build():
    add_losses('semantic')
    summaries.add_loss_summaries(tf.constant(7.0), summaries.loss_parts())

  values = summarise(build)
  assert sorted(values) == ['losses/semantic_logits_0.50', 'losses/semantic_merged_logits',
                            'losses/total']
  assert values['losses/total'].simple_value == 7.0


def test_gradient_norm_is_over_all_gradients_and_has_histograms():
  def build():
    table = tf.get_variable('table', initializer=np.ones((4, 2), np.float32))
    scalar = tf.get_variable('scalar', initializer=1.0)
    unused = tf.get_variable('unused', initializer=1.0)
    slices = tf.IndexedSlices(tf.constant([[1.0, 2.0]]), tf.constant([3]))
    grads_and_vars = [(slices, table), (tf.constant(2.0), scalar), (None, unused)]
    summaries.add_gradient_summaries(
        tf.global_norm([gradient for gradient, _ in grads_and_vars]), grads_and_vars)

  values = summarise(build)
  assert sorted(values) == ['gradient_norm', 'gradients/scalar', 'gradients/table']
  assert values['gradient_norm'].simple_value == 3.0
  assert values['gradients/table'].histo.num == 2
  assert values['gradients/table'].histo.max == 2.0


def test_trainable_variables_have_histograms():
  values = summarise(lambda: [
      tf.get_variable('weights', initializer=[1.0, 5.0]),
      tf.get_variable('mean', initializer=[1.0], trainable=False),
      summaries.add_variable_histograms()])
  assert sorted(values) == ['variables/weights']
  assert values['variables/weights'].histo.max == 5.0


def test_pictures_are_in_the_colours_of_the_dataset_and_overlaid():
  image = np.full((2, 4, 6, 3), 100.0, np.float32)
  label = np.zeros((2, 4, 6, 1), np.int32)
  label[:, :, 3:] = 1
  label[:, 3] = 255
  logits = np.zeros((2, 2, 3, 3), np.float32)
  logits[..., 2] = 1.0
  values = summarise(lambda: summaries.add_image_summaries(
      tf.constant(image), tf.constant(label), tf.constant(logits), DATASET))
  assert sorted(values) == ['samples/%s/image/%d' % (name, i) for name in (
      'image', 'label', 'overlay', 'prediction') for i in range(2)]
  colored = pixels(values['samples/label/image/1'])
  np.testing.assert_array_equal(colored[0, [0, 5]], COLORS[:2])
  np.testing.assert_array_equal(pixels(values['samples/prediction/image/0']),
                                np.broadcast_to(COLORS[2], (4, 6, 3)))
  overlay = pixels(values['samples/overlay/image/1'])
  step = painting.footer((4, 6), 4, CAPTIONS)[1]
  first, of_label, of_prediction, errors = [
      overlay[:4, i * step:i * step + 6] for i in range(4)]
  assert (first == 100).all()
  np.testing.assert_array_equal(of_label[0, [0, 5]], [[55, 60, 65], [150, 50, 50]])
  # Ignored pixels show the image in the overlay of the label, and what was predicted there.
  assert (of_label[3] == 100).all()
  assert (of_prediction == [50, 100, 175]).all()
  assert (errors[:3] == [230, 0, 60]).all() and (errors[3] == 255).all()
  # Between the panels is paper; below stand captions and the colours of all classes.
  assert (overlay[:4, 6:step] == 255).all()
  below = overlay[4:].reshape(-1, 3)
  for color in COLORS:
    assert (below == color).all(axis=1).any()


def test_overlays_are_as_those_of_files_and_leave_the_background_clear():
  rng = np.random.RandomState(0)
  image = rng.randint(0, 256, (1, 16, 300, 3)).astype(np.float32)
  label = rng.choice([0, 1, 2, 255], (1, 16, 300, 1)).astype(np.int32)
  ids = rng.randint(0, 3, (1, 16, 300))
  dataset = DATASET._replace(class_names=['background', 'b', 'c'])
  values = summarise(lambda: summaries.add_image_summaries(
      tf.constant(image), tf.constant(label), tf.constant(np.eye(3, dtype=np.float32)[ids]),
      dataset))
  seen = pixels(values['samples/overlay/image/0']).astype(int)
  drawn = np.asarray(drawing.side_by_side(
      image[0].astype(np.uint8), ids[0], np.array(COLORS), dataset.class_names,
      label[0, ..., 0], 255)).astype(int)
  assert seen.shape == drawn.shape
  # Halves may be rounded either way; the words are the same.
  assert np.abs(seen - drawn).max() <= 1
  np.testing.assert_array_equal(seen[16:], drawn[16:])
  is_background = ids[0] == 0
  np.testing.assert_array_equal(seen[:16, 612:912][is_background], image[0][is_background])


def test_no_more_pictures_than_three_are_made():
  values = summarise(lambda: summaries.add_image_summaries(
      tf.zeros([5, 4, 6, 3]), tf.zeros([5, 4, 6, 1], tf.int32), tf.zeros([5, 2, 3, 3]),
      DATASET))
  assert sum(tag.startswith('samples/overlay') for tag in values) == 3
