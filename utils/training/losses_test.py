"""Tests of the pixel losses against a few lines of numpy, weights of classes,
and the errors of a loss that is not finite."""
import types

import numpy as np
import pytest
from absl import logging

from deeplab.core.tf_compat import tf
from deeplab.datasets.records import dataset_info
from deeplab.datasets.records.counts import balancing_weights
from deeplab.utils.training import losses, summaries

NUM_CLASSES = 4
IGNORE = 255
OPTIONS = types.SimpleNamespace(train_logdir='run/train', train_batch_size=8,
                                optimizer='momentum', base_learning_rate=0.5)
NAMES = ['street/grün, "1"', 'a|b', 'plain']


def numpy_cross_entropy(logits, labels):
  """Returns [pixels] cross entropies; 0 outside 0..classes-1."""
  logits = logits.astype(np.float64)
  log_sum = np.log(np.exp(logits).sum(1))
  inside = (labels >= 0) & (labels < logits.shape[1])
  picked = logits[np.arange(len(labels)), np.where(inside, labels, 0)]
  return np.where(inside, log_sum - picked, 0.0)


def run_loss(logits, labels, step=0, **kwargs):
  with tf.Graph().as_default(), tf.Session() as session:
    global_step = tf.train.get_or_create_global_step()
    losses.add_softmax_cross_entropy_loss_for_each_scale(
        logits if isinstance(logits, dict) else {'merged_logits': tf.constant(logits)},
        None if labels is None else tf.constant(labels), NUM_CLASSES, IGNORE, **kwargs)
    session.run(global_step.initializer)
    session.run(global_step.assign(step))
    return session.run(tf.losses.get_losses())


@pytest.fixture(name='pixels')
def make_pixels():
  rng = np.random.RandomState(3)
  logits = rng.standard_normal((2, 5, 6, NUM_CLASSES)).astype(np.float32)
  labels = rng.randint(0, NUM_CLASSES, (2, 5, 6, 1)).astype(np.int32)
  labels[0, :2] = IGNORE
  return logits, labels


def flat(pixels):
  logits, labels = pixels
  return logits.reshape(-1, NUM_CLASSES), labels.reshape(-1)


def test_loss_is_the_mean_over_pixels_that_are_not_ignored(pixels):
  logits, labels = flat(pixels)
  wanted = numpy_cross_entropy(logits, labels).sum() / (labels != IGNORE).sum()
  np.testing.assert_allclose(run_loss(*pixels), [wanted], rtol=1e-6)


@pytest.mark.parametrize('top_k_percent_pixels', [1.0, 0.25])
def test_gradients_are_those_of_one_hot_labels_without_making_them(pixels, top_k_percent_pixels):
  values, labels = pixels
  labels = np.kron(labels[..., 0], np.ones((1, 2, 2), int))[..., np.newaxis].astype(np.int32)
  with tf.Graph().as_default() as graph, tf.Session() as session:
    logits = tf.constant(values)
    losses.add_softmax_cross_entropy_loss_for_each_scale(
        {'merged_logits': logits}, tf.constant(labels), NUM_CLASSES, IGNORE, loss_weight=1.5,
        top_k_percent_pixels=top_k_percent_pixels)
    loss, = tf.losses.get_losses()
    gradient, = tf.gradients(3.0 * loss, logits)
    assert 'OneHot' not in {op.type for op in graph.get_operations()}
    flat_labels = labels.reshape(-1)
    upsampled = tf.reshape(tf.image.resize_bilinear(logits, labels.shape[1:3], align_corners=True),
                           [-1, NUM_CLASSES])
    is_present = tf.constant((flat_labels != IGNORE).astype(np.float32))
    wanted = 1.5 * is_present * tf.nn.softmax_cross_entropy_with_logits_v2(
        tf.one_hot(flat_labels, NUM_CLASSES), upsampled)
    if top_k_percent_pixels == 1.0:
      wanted = tf.reduce_sum(wanted) / tf.reduce_sum(is_present)
    else:
      wanted = tf.nn.top_k(wanted, int(top_k_percent_pixels * len(flat_labels)))[0]
      wanted = tf.reduce_sum(wanted) / tf.reduce_sum(tf.cast(wanted > 0, tf.float32))
    wanted_gradient, = tf.gradients(3.0 * wanted, logits)
    results = session.run([loss, wanted, gradient, wanted_gradient])
  np.testing.assert_allclose(results[0], results[1], rtol=1e-6)
  np.testing.assert_allclose(results[2], results[3], rtol=1e-5, atol=1e-7)


def test_images_of_a_batch_of_unknown_size_are_together(pixels):
  with tf.Graph().as_default(), tf.Session() as session:
    logits = tf.placeholder(tf.float32, [None, 5, 6, NUM_CLASSES])
    losses.add_softmax_cross_entropy_loss_for_each_scale(
        {'merged_logits': logits}, tf.constant(pixels[1]), NUM_CLASSES, IGNORE)
    np.testing.assert_allclose(
        session.run(tf.losses.get_losses(), {logits: pixels[0]}), run_loss(*pixels), rtol=1e-6)


def test_ignored_pixels_do_not_change_the_loss(pixels):
  logits, labels = pixels
  changed = logits.copy()
  changed[0, :2] += 7.0
  np.testing.assert_allclose(run_loss(logits, labels), run_loss(changed, labels), rtol=1e-6)


def test_a_list_weighs_each_class(pixels):
  logits, labels = flat(pixels)
  weights = [0.5, 2.0, 1.0, 0.0]
  per_pixel = np.array(weights + [0.0])[np.where(labels == IGNORE, NUM_CLASSES, labels)]
  wanted = (per_pixel * numpy_cross_entropy(logits, labels)).sum() / (per_pixel != 0).sum()
  np.testing.assert_allclose(run_loss(*pixels, loss_weight=weights), [wanted], rtol=1e-6)
  with pytest.raises(ValueError, match='There are 3 weights of classes for 4 classes'):
    run_loss(*pixels, loss_weight=[1.0, 1.0, 1.0])


def test_loss_weight_scales_the_loss(pixels):
  np.testing.assert_allclose(
      run_loss(*pixels, loss_weight=2.5), 2.5 * np.array(run_loss(*pixels)), rtol=1e-6)


def test_all_ignored_gives_zero(pixels):
  logits, labels = pixels
  assert run_loss(logits, np.full_like(labels, IGNORE)) == [0.0]


def test_out_of_range_labels_add_nothing_but_count(pixels):
  logits, labels = pixels
  labels = labels.copy()
  labels[1, 0] = 77
  flat_logits, flat_labels = flat((logits, labels))
  wanted = numpy_cross_entropy(flat_logits, flat_labels).sum() / (flat_labels != IGNORE).sum()
  np.testing.assert_allclose(run_loss(logits, labels), [wanted], rtol=1e-6)


def test_logits_are_upsampled_or_labels_shrunk():
  labels = np.arange(25).reshape(1, 5, 5, 1).astype(np.int32) % NUM_CLASSES
  logits = np.random.RandomState(0).standard_normal((1, 3, 3, NUM_CLASSES)).astype('f')
  # Corners aligned: pixels 0, 2, 4 of five fall on 0, 1, 2 of three, bilinear between.
  grid = np.array([[1, 0, 0], [.5, .5, 0], [0, 1, 0], [0, .5, .5], [0, 0, 1]])
  upsampled = np.einsum('yi,xj,ijc->yxc', grid, grid, logits[0])
  wanted = numpy_cross_entropy(upsampled.reshape(-1, NUM_CLASSES), labels.ravel()).mean()
  np.testing.assert_allclose(run_loss(logits, labels), [wanted], rtol=1e-5)
  wanted = numpy_cross_entropy(logits.reshape(-1, NUM_CLASSES),
                               labels[0, ::2, ::2, 0].ravel()).mean()
  np.testing.assert_allclose(run_loss(logits, labels, upsample_logits=False), [wanted],
                             rtol=1e-5)


@pytest.mark.parametrize('mining_step, step, share', [
    (0, 0, .25), (10, 0, 1.0), (10, 4, .4 * .25 + .6), (10, 30, .25)])
def test_hard_mining_averages_the_largest_losses(pixels, mining_step, step, share):
  cross_entropy = numpy_cross_entropy(*flat(pixels)) * (flat(pixels)[1] != IGNORE)
  hardest = np.sort(cross_entropy)[::-1][:int(share * len(cross_entropy))]
  wanted = hardest.sum() / (hardest != 0).sum()
  np.testing.assert_allclose(
      run_loss(*pixels, step=step, hard_example_mining_step=mining_step,
               top_k_percent_pixels=.25), [wanted], rtol=1e-6)


def test_hard_mining_never_asks_for_more_pixels_than_there_are():
  num_pixels = 67 * 513 * 513
  assert int(np.float32(num_pixels)) == num_pixels + 1
  pixel_losses = np.zeros(num_pixels, np.float32)
  pixel_losses[0] = 3
  with tf.Graph().as_default(), tf.Session() as session:
    step = tf.train.get_or_create_global_step()
    fed = tf.placeholder(tf.float32, [None])
    loss = losses._mean_over_hardest(fed, 1000, 0.5)
    session.run(step.initializer)
    assert session.run(loss, {fed: pixel_losses}) == 3


def test_hard_mining_of_ignored_pixels_gives_zero(pixels):
  logits, labels = pixels
  assert run_loss(logits, np.full_like(labels, IGNORE), top_k_percent_pixels=.5) == [0.0]


def test_a_large_batch_has_the_loss_and_gradient_of_its_images():
  rng = np.random.RandomState(5)
  num_images = 150
  logits = rng.standard_normal((num_images, 2, 3, NUM_CLASSES)).astype(np.float32)
  labels = rng.randint(0, NUM_CLASSES, (num_images, 2, 3, 1)).astype(np.int32)
  flat = logits.reshape(-1, NUM_CLASSES)
  expected = numpy_cross_entropy(flat, labels.reshape(-1)).mean()
  np.testing.assert_allclose(run_loss(logits, labels), [expected], rtol=1e-5)
  shares = np.exp(flat) / np.exp(flat).sum(1, keepdims=True)
  shares[np.arange(len(flat)), labels.reshape(-1)] -= 1
  with tf.Graph().as_default() as graph, tf.Session() as session:
    fed = tf.constant(logits)
    losses.add_softmax_cross_entropy_loss_for_each_scale(
        {'merged_logits': fed}, tf.constant(labels), NUM_CLASSES, IGNORE)
    gradient, = session.run(tf.gradients(tf.losses.get_losses(), fed))
    splits = [op for op in graph.get_operations() if op.type == 'SplitV']
  np.testing.assert_allclose(gradient.reshape(-1, NUM_CLASSES), shares / len(flat), atol=1e-7)
  # The graph does not grow with the batch.
  assert {len(op.outputs) for op in splits} == {64}


def test_every_scale_adds_one_loss(pixels):
  logits, labels = pixels
  with tf.Graph().as_default():
    losses.add_softmax_cross_entropy_loss_for_each_scale(
        {name: tf.constant(logits) for name in ('logits_0.50', 'logits_1.00', 'merged_logits')},
        tf.constant(labels), NUM_CLASSES, IGNORE, scope='semantic')
    names = [loss.op.name for loss in tf.losses.get_losses()]
  assert [name.split('/')[0] for name in names] == [
      'semantic_logits_0.50', 'semantic_logits_1.00', 'semantic_merged_logits']


def test_bad_arguments_are_refused(pixels):
  with pytest.raises(ValueError, match='split with labels'):
    run_loss(pixels[0], None)
  with pytest.raises(ValueError, match=r'top_k_percent_pixels must be in \(0, 1\], got 0'):
    run_loss(*pixels, top_k_percent_pixels=0)


def split_info(counts, present=None):
  return dataset_info.SplitInfo(4, 1, None, counts, 0, present)


def test_numbers_are_taken_as_they_are():
  assert losses.parse_label_weights(['0', '1.5', '2'], 3, None) == [0.0, 1.5, 2.0]
  assert losses.parse_label_weights(None, 3, None) is None


def test_auto_is_the_formula_that_the_doctor_reports():
  counts, present = [30, 0, 10, 20], [60, 0, 20, 60]
  weights = losses.parse_label_weights(['auto'], 4, split_info(counts, present))
  assert weights == [weight or 1.0 for weight in balancing_weights(counts, present)]
  assert weights == pytest.approx([1.0, 1.0, 1.0, 1.5])


def test_auto_by_the_counts_of_the_whole_split_is_told(monkeypatch):
  told = []
  monkeypatch.setattr(logging, 'info', told.append)
  assert losses.parse_label_weights(['auto'], 3, split_info([400, 100, 50])) == [
      0.25, 1.0, 2.0]
  assert len(told) == 1 and 'frequencies are over all of them' in told[0]
  losses.parse_label_weights(['auto'], 3, split_info([400, 100, 50], [550] * 3))
  assert len(told) == 1


def test_classes_without_pixels_weigh_as_the_median():
  assert losses.balanced_weights(split_info([10 ** 9, 1000, 1, 0])) == [
      0.1, 1.0, 10.0, 1.0]
  assert losses.balanced_weights(split_info([0, 0])) == [1.0, 1.0]


@pytest.mark.parametrize('words', [['1', '2'], ['1', '2', 'x'], ['1', '2', '-1'],
                                   ['0', '0', '0'], ['1', '2', 'nan'], ['auto', '1', '2']])
def test_other_words_are_one_line(words):
  with pytest.raises(ValueError, match='--label_weights must be 3 numbers from 0 up'):
    losses.parse_label_weights(words, 3, split_info([1, 2, 3]))


def test_auto_needs_counts():
  with pytest.raises(ValueError, match='needs the number of pixels'):
    losses.parse_label_weights(['auto'], 3, None)


def run_checked(loss, names=NAMES, gradient_norm=None):
  with tf.Graph().as_default(), tf.Session() as session:
    names = names and tf.constant([name.encode('utf-8') for name in names])
    weight = tf.Variable(1.0)
    checked = losses.check_finite(
        tf.constant(loss, tf.float32), names,
        None if gradient_norm is None else tf.constant(gradient_norm, tf.float32))
    with tf.control_dependencies([checked]):
      update = weight.assign(7.0)
    session.run(tf.global_variables_initializer())
    try:
      with losses.readable_loss_errors(OPTIONS):
        session.run(update)
    finally:
      assert session.run(weight) == (1.0 if not np.isfinite([loss, gradient_norm or 0]).all()
                                     else 7.0)
    return session.run(checked)


def test_a_finite_loss_passes_unchanged():
  assert run_checked(2.5) == 2.5
  assert run_checked(2.5, gradient_norm=1e30) == 2.5


@pytest.mark.parametrize('loss', [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_not_finite_names_the_samples_and_what_to_do(loss):
  with pytest.raises(ValueError) as caught:
    run_checked(loss)
  message = str(caught.value)
  assert message.startswith('The loss became NaN or infinite in the batch of '
                            'street/grün, "1", a|b, plain; the weights in run/train are')
  assert 'lower --base_learning_rate (now 0.5)' in message


def test_gradients_that_are_not_finite_stop_too():
  with pytest.raises(ValueError, match='The gradient became NaN or infinite in the batch of'):
    run_checked(1.0, gradient_norm=np.inf)


def test_weights_that_are_not_finite_stop_where_tensorflow_sees_it():
  with tf.Graph().as_default(), tf.Session() as session:
    variable = tf.get_variable('weights', initializer=[1.0, np.inf])
    summaries.add_variable_histograms()
    session.run(variable.initializer)
    with pytest.raises(ValueError, match='^The weights became NaN or infinite; the weights in'):
      with losses.readable_loss_errors(OPTIONS):
        session.run(tf.summary.merge_all())


def test_names_are_optional_and_many_are_counted():
  with pytest.raises(ValueError, match='The loss became NaN or infinite; the weights'):
    run_checked(np.nan, names=None)
  with pytest.raises(ValueError, match='batch of n0, n1, n2, n3, n4, n5, n6, n7 and 5 more;'):
    run_checked(np.nan, names=['n%d' % i for i in range(13)])


def test_a_name_is_told_once():
  with pytest.raises(ValueError, match='in the batch of b, a; the weights'):
    run_checked(np.nan, names=['b', 'a', 'b'])


def test_other_errors_pass_through():
  with pytest.raises(tf.errors.InvalidArgumentError):
    with losses.readable_loss_errors(OPTIONS):
      raise tf.errors.InvalidArgumentError(None, None, 'something else')


def test_check_numerics_with_the_same_words_is_understood():
  with tf.Graph().as_default(), tf.Session() as session:
    with pytest.raises(ValueError, match='The loss became NaN or infinite; '):
      with losses.readable_loss_errors(OPTIONS):
        session.run(tf.check_numerics(tf.constant(np.nan), losses.NOT_FINITE))
