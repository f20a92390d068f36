"""TensorBoard summaries of a training run."""
import collections
import io

import numpy as np

from deeplab.core import colormaps
from deeplab.core.images import painting
from deeplab.core.tf_compat import tf

# Of the histograms of weights; begins their names.
VARIABLES_TAG = 'variables/'

_MAX_IMAGES = 3
_DEFAULT_COLORMAP = 'pascal'
# Share of the colours in an overlay.
_OPACITY = 0.5
_REGULARIZATION = 'regularization'


def loss_parts(scope=None):
  """Returns what the total loss is the sum of, OrderedDict, name -> scalar tensor.

  These are the cross entropies by output and scale, e.g. 'semantic_merged_logits', and
  'regularization' (L2) where there is any: of a name scope, e.g. that of a clone, or all (None).
  """
  parts = collections.OrderedDict(
      (loss.op.name.rsplit('/', 1)[0].split('/')[-1], loss) for loss in tf.losses.get_losses(scope))
  regularization_losses = tf.losses.get_regularization_losses()
  if regularization_losses:
    parts[_REGULARIZATION] = tf.add_n(regularization_losses, name=_REGULARIZATION)
  return parts


def add_loss_summaries(total_loss, parts):
  """Adds a scalar per part of the loss, as `loss_parts` returns them, and the total."""
  for name, loss in parts.items():
    tf.summary.scalar('losses/' + name, loss)
  tf.summary.scalar('losses/total', total_loss)


def add_gradient_summaries(norm, grads_and_vars):
  """Adds the gradient norm, a float scalar, and a histogram per (gradient or None, variable)."""
  tf.summary.scalar('gradient_norm', norm)
  for gradient, variable in grads_and_vars:
    if gradient is not None:
      values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
      tf.summary.histogram('gradients/' + variable.op.name, values)


def add_variable_histograms():
  """Adds a histogram per trainable variable."""
  for variable in tf.trainable_variables():
    tf.summary.histogram(VARIABLES_TAG + variable.op.name, variable)


def add_image_summaries(images, labels, logits, dataset):
  """Adds pictures of input, label and prediction in the dataset's colours.

  `samples/overlay` shows them side by side: the input, the colours of label and prediction laid
  over it, and the errors, with captions and a legend of all classes. The background (see
  `painting.background_ids`) and pixels of the ignore label stay as they are there.

  Args:
    images: [batch, height, width, 3] float tensor in 0..255, the sizes static.
    labels: [batch, height, width, 1] int32 class ids.
    logits: [batch, h, w, classes] tensor.
    dataset: DatasetDescriptor; ignored pixels are grey where no class has their id.
  """
  # One entry per id of a byte, so that the ignore label has a colour too.
  palette = colormaps.colormap(dataset.colormap or _DEFAULT_COLORMAP, num_entries=256)
  clear_ids = painting.background_ids(dataset.class_names, palette[:dataset.num_classes],
                                      dataset.ignore_label)
  opacities = np.full((256, 1), _OPACITY, np.float32)
  opacities[list(clear_ids) + [dataset.ignore_label]] = 0
  images = tf.cast(images[:_MAX_IMAGES], tf.float32)
  labels = labels[:_MAX_IMAGES]
  predictions = tf.expand_dims(
      tf.cast(tf.argmax(logits[:_MAX_IMAGES], 3), tf.int32), 3)
  predictions = tf.image.resize_nearest_neighbor(
      predictions, tf.shape(images)[1:3], align_corners=True)
  panels = [images]
  _add_pictures('image', images)
  for name, ids in (('label', labels), ('prediction', predictions)):
    ids = tf.clip_by_value(ids[..., 0], 0, 255)
    colors = tf.cast(tf.gather(tf.constant(palette, tf.uint8), ids), tf.float32)
    _add_pictures(name, colors)
    panels.append(images + tf.gather(tf.constant(opacities), ids) * (colors - images))
  panels.append(_errors(images, labels, predictions, dataset.ignore_label))
  legend = painting.class_entries(
      range(dataset.num_classes), palette, dataset.class_names, clear_ids)
  legend.append(painting.Entry('ignored', painting.IGNORED_COLOR))
  _add_pictures('overlay', _sheets(panels, legend))


def _errors(images, labels, predictions, ignore_label):
  """Returns `painting.errors` of a batch, [batch, height, width, 3] float32."""
  pale = painting.GREY_OFFSET + painting.GREY_SHARE * tf.reduce_mean(images, 3, keepdims=True)
  is_right = tf.cast(tf.equal(labels, predictions), tf.float32)
  is_ignored = tf.cast(tf.equal(labels, ignore_label), tf.float32)
  drawn = is_right * pale + (1 - is_right) * tf.constant(painting.WRONG_COLOR, tf.float32)
  return drawn + is_ignored * (painting.IGNORED_COLOR - drawn)


def _sheets(panels, legend):
  """Returns `painting.sheet` of a batch, float32; panels are of a static height and width."""
  size = panels[0].shape.as_list()[1:3]
  below, step = painting.footer(size, len(panels),
                                    ['image', 'label', 'prediction', 'errors in red'], legend)
  lefts = [step * index for index in range(len(panels))] + [below.width]
  # As a file: the graph is stored with every checkpoint.
  stream = io.BytesIO()
  below.save(stream, 'PNG')
  below = tf.cast(tf.image.decode_png(stream.getvalue(), channels=3), tf.float32)
  row = tf.concat([
      tf.pad(panel, [[0, 0], [0, 0], [0, right - left - size[1]], [0, 0]],
             constant_values=painting.PAPER[0])
      for panel, left, right in zip(panels, lefts, lefts[1:])], axis=2)
  return tf.concat([row, tf.tile(below[tf.newaxis], [tf.shape(row)[0], 1, 1, 1])], axis=1)


def _add_pictures(name, pictures):
  """Adds [batch, height, width, 3] pictures in 0..255 under samples/`name`."""
  tf.summary.image('samples/' + name, tf.saturate_cast(tf.round(pictures), tf.uint8),
                   max_outputs=_MAX_IMAGES)
