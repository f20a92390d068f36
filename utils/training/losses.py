"""Softmax cross entropy over pixels: ignored pixels, weights of classes, hard example mining.

And a readable end of a training whose loss is not finite.
"""
import base64
import contextlib
import re

import numpy as np
from absl import logging

from deeplab.command_line import flag_reading
from deeplab.core import utils
from deeplab.core.tf_compat import tf
from deeplab.core.usage import UsageError
from deeplab.datasets.records import counts
from deeplab.utils.training import optimizing, summaries

NOT_FINITE = 'The loss is not finite'

_GRADIENT_NOT_FINITE = 'The gradients are not finite'
# What is not finite, by the message; TensorFlow itself looks at weights it makes a histogram of.
_SIGNS = ((NOT_FINITE, 'loss'), (_GRADIENT_NOT_FINITE, 'gradient'),
          ('istogram for: ' + summaries.VARIABLES_TAG, 'weights'))
_MAX_NAMES = 8
# Around the names of the samples, in the long message of a failed assertion.
_NAMES = re.compile(r'<samples:([\w=,-]*)>')

# Keeps the mean over no pixels finite.
_MIN_COUNT = 1e-5
# The graph has operations for each part of a batch: larger batches have several images in one.
_MAX_PARTS = 64
# Among the words of --label_weights: weights from the counts of the records.
_AUTO = 'auto'


def add_softmax_cross_entropy_loss_for_each_scale(
    scales_to_logits, labels, num_classes, ignore_label, loss_weight=1.0,
    upsample_logits=True, hard_example_mining_step=0, top_k_percent_pixels=1.0, scope=None):
  """Adds one cross entropy loss per entry of `scales_to_logits` to the losses collection.

  Args:
    scales_to_logits: dict, name -> [batch, h, w, num_classes] logits.
    labels: [batch, height, width, 1] int32 class ids.
    num_classes: number of classes.
    ignore_label: id of pixels that do not count. Other ids outside 0..num_classes-1 add
      nothing to the sum but count as pixels.
    loss_weight: factor on the loss of every pixel, or a list with that of each class.
    upsample_logits: whether logits are resized to the labels (bilinear), else the labels
      to the logits (nearest).
    hard_example_mining_step: with top_k_percent_pixels < 1, steps over which the share of
      pixels falls linearly from all to top_k_percent_pixels; 0: at once.
    top_k_percent_pixels: share, in (0, 1], of the pixels of the batch with the largest
      losses that count.
    scope: prefix of the name scopes.

  Raises ValueError if labels is None or top_k_percent_pixels is out of range.
  """
  if labels is None:
    raise ValueError('No labels: the cross entropy loss needs a split with labels.')
  if not 0.0 < top_k_percent_pixels <= 1.0:
    raise UsageError('top_k_percent_pixels must be in (0, 1], got %s.' % top_k_percent_pixels)
  for name, logits in sorted(scales_to_logits.items()):
    with tf.name_scope('%s_%s' % (scope, name) if scope else name):
      def losses_of(logits, labels):
        if upsample_logits:
          logits = utils.resize_bilinear(logits, utils.image_size(labels), logits.dtype)
        else:
          labels = tf.image.resize_nearest_neighbor(
              labels, utils.image_size(logits), align_corners=True)
        return pixel_losses(tf.reshape(logits, [-1, num_classes]), tf.reshape(labels, [-1]),
                            num_classes, ignore_label, loss_weight)

      if top_k_percent_pixels == 1.0:
        loss = _mean_over_present(logits, labels, losses_of)
      else:
        loss = _mean_over_hardest(losses_of(logits, labels)[0], hard_example_mining_step,
                                  top_k_percent_pixels)
      tf.losses.add_loss(loss)


def _cross_entropy(scales_to_logits, labels, classes, options, scope):
  num_classes, ignore_label = classes
  add_softmax_cross_entropy_loss_for_each_scale(
      scales_to_logits, labels, num_classes, ignore_label,
      loss_weight=options.label_weights or 1.0,
      upsample_logits=options.upsample_logits,
      hard_example_mining_step=options.hard_example_mining_step,
      top_k_percent_pixels=options.top_k_percent_pixels, scope=scope)


# Name -> function (scales_to_logits, labels, (number of classes, ignore label), TrainOptions,
# scope) that adds losses to the losses collection; arguments are as above.
LOSSES = {
    'cross_entropy': _cross_entropy,
}


def pixel_losses(logits, labels, num_classes, ignore_label, loss_weight=1.0):
  """Returns weighted cross entropies, 0 where ignored or out of range, and the weights of pixels.

  Both are [pixels] float32. The weight is loss_weight, or 0 where ignored.

  Args:
    logits: [pixels, num_classes] float tensor.
    labels: [pixels] int32 class ids.
    ignore_label: id whose pixels get weight 0.
    loss_weight: weight of the others, or a list with the weight of each class.

  Raises ValueError if a list of weights has another length.
  """
  weights = tf.cast(tf.not_equal(labels, ignore_label), tf.float32)
  is_class = tf.logical_and(labels >= 0, labels < num_classes)
  class_ids = tf.where(is_class, labels, tf.zeros_like(labels))
  if isinstance(loss_weight, (list, tuple)):
    if len(loss_weight) != num_classes:
      raise ValueError('There are %d weights of classes for %d classes.'
                       % (len(loss_weight), num_classes))
    weights *= tf.gather(tf.constant(loss_weight, tf.float32), class_ids)
  else:
    weights *= loss_weight
  cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(
      labels=class_ids, logits=tf.cast(logits, tf.float32))
  return weights * tf.cast(is_class, tf.float32) * cross_entropy, weights


def _mean_over_present(logits, labels, losses_of):
  """Returns the sum of losses over the number of pixels with a weight.

  One image after the other, of large batches a few, each with its gradient: at full resolution
  there is one image at a time, and for the gradients of the network only those of the logits are
  kept. `losses_of` returns losses and weights of the pixels of some images.
  """
  num_images = logits.shape.as_list()[0]
  parts, label_parts = _parts(logits, num_images), _parts(labels, num_images)

  @tf.custom_gradient
  def total_and_count(*parts):
    totals, counts, gradients = [], [], []
    for part, label_part in zip(parts, label_parts):
      with tf.control_dependencies(gradients[-1:]):
        part = tf.identity(part)
      losses, weights = losses_of(part, label_part)
      totals.append(tf.reduce_sum(losses))
      counts.append(tf.reduce_sum(tf.cast(tf.not_equal(weights, 0.0), tf.float32)))
      gradients += tf.gradients(totals[-1], [part])

    def multiply(total_gradient, unused_count_gradient):
      return [tf.cast(total_gradient, gradient.dtype) * gradient for gradient in gradients]

    return (tf.add_n(totals), tf.add_n(counts)), multiply

  return div_maybe_zero(*total_and_count(*parts))


def _parts(batch, num_images):
  """Returns a batch as a list: single images, of a large batch a few; all if num_images is None."""
  if num_images is None:
    return [batch]
  num_parts = min(num_images, _MAX_PARTS)
  ends = [num_images * part // num_parts for part in range(num_parts + 1)]
  return tf.split(batch, [end - start for start, end in zip(ends, ends[1:])])


def _mean_over_hardest(losses, hard_example_mining_step, top_k_percent_pixels):
  if hard_example_mining_step == 0:
    share = top_k_percent_pixels
  else:
    step = tf.cast(tf.train.get_or_create_global_step(), tf.float32)
    ratio = tf.minimum(1.0, step / hard_example_mining_step)
    share = ratio * top_k_percent_pixels + 1.0 - ratio
  num_pixels = tf.shape(losses)[0]
  # float32 holds no odd numbers above 2 ** 24 and may round up.
  count = tf.minimum(num_pixels, tf.cast(share * tf.cast(num_pixels, tf.float32), tf.int32))
  hardest, _ = tf.nn.top_k(losses, k=count, sorted=True)
  num_present = tf.reduce_sum(tf.cast(tf.not_equal(hardest, 0.0), tf.float32))
  return div_maybe_zero(tf.reduce_sum(hardest), num_present)


def div_maybe_zero(total, count):
  """Returns total / count, or 0 where count is 0."""
  return tf.cast(count > 0, tf.float32) * tf.div(total, tf.maximum(_MIN_COUNT, count))


def parse_label_weights(words, num_classes, split):
  """Returns one weight per class as a list of floats, or None.

  Words are `num_classes` numbers or the one word 'auto', strings; or None. The split is the
  dataset_info.SplitInfo of training, or None where there is none. Raises ValueError for not so
  many numbers, a negative one, none above 0, or `auto` without counts.
  """
  if not words:
    return None
  if list(words) == [_AUTO]:
    if split is None:
      raise ValueError('--label_weights=auto needs the number of pixels of each class from the '
                       'dataset_info.json in --dataset_dir; there is none. Give %d numbers.'
                       % num_classes)
    return balanced_weights(split)
  weights = flag_reading.numbers_of(words)
  if len(weights) != num_classes or not np.all(np.isfinite(weights)) or min(weights) < 0 or (
      max(weights) == 0):
    raise UsageError('--label_weights must be %d numbers from 0 up, one per class, or auto; got '
                     '%s.' % (num_classes, ','.join(words)))
  return weights


def balanced_weights(split):
  """Returns the `counts.balancing_weights` of a SplitInfo; 1 for classes without pixels."""
  if split.present_pixel_counts is None:
    logging.info('The dataset_info.json does not tell in which label maps the classes are: their '
                 'frequencies are over all of them. Records that are built again have it.')
  weights = counts.balancing_weights(split.class_pixel_counts, split.present_pixel_counts)
  return [1.0 if weight is None else weight for weight in weights]


def check_finite(loss, names=None, gradient_norm=None):
  """Returns the loss, a float scalar, which fails when run unless it is finite.

  What changes weights must depend on the returned tensor. The error tells the names of the
  samples, for `readable_loss_errors`.

  Args:
    names: [B] string tensor, names of the samples in the batch, or None.
    gradient_norm: float scalar that must be finite too: weights moved along an infinite
      gradient would only show in the next step, when they may be saved. Or None.
  """
  # Names may hold anything, and messages quote and escape.
  encoded = '' if names is None else tf.strings.reduce_join(
      tf.io.encode_base64(tf.reshape(names, [-1])), 0, separator=',')
  samples = tf.strings.join(['<samples:', encoded, '>'])
  checks = [tf.Assert(tf.is_finite(loss), [NOT_FINITE, samples], summarize=1)]
  if gradient_norm is not None:
    with tf.control_dependencies(checks):
      checks.append(tf.Assert(tf.is_finite(gradient_norm), [_GRADIENT_NOT_FINITE, samples],
                              summarize=1))
  with tf.control_dependencies(checks):
    return tf.identity(loss)


@contextlib.contextmanager
def readable_loss_errors(options):
  """Turns the failed check of the loss into a ValueError that says what to do with TrainOptions."""
  try:
    yield
  except tf.errors.InvalidArgumentError as error:
    what = [what for text, what in _SIGNS if text in str(error)]
    if not what:
      raise
    rate_option = optimizing.OPTIMIZERS[options.optimizer].learning_rate_option
    raise ValueError(
        'The %s became NaN or infinite%s; the weights in %s are those of the last '
        'checkpoint. Look at these images, lower --%s (now %g) or raise --slow_start_step.'
        % (what[0], _batch_text(str(error)), options.train_logdir, rate_option,
           getattr(options, rate_option))) from error


def _batch_text(message):
  """Returns ' in the batch of NAME, NAME', or '' where the message has no names."""
  match = _NAMES.search(message)
  if not match or not match.group(1):
    return ''
  names = [base64.urlsafe_b64decode(code + '=' * (-len(code) % 4)).decode('utf-8', 'replace')
           for code in match.group(1).split(',')]
  names = list(dict.fromkeys(names))  # A small split may come twice in a batch.
  more = len(names) - _MAX_NAMES
  return ' in the batch of %s%s' % (', '.join(names[:_MAX_NAMES]),
                                    ' and %d more' % more if more > 0 else '')
