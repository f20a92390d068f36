"""TensorBoard summaries of a training run."""
from deeplab.core import colormaps
from deeplab.core.tf_compat import tf

_MAX_IMAGES = 3
_DEFAULT_COLORMAP = 'pascal'


def add_loss_summaries(total_loss):
  """Adds a scalar per loss term, their L2 part and the total."""
  for loss in tf.losses.get_losses():
    tf.summary.scalar('losses/' + loss.op.name.rsplit('/', 2)[0], loss)
  regularization_losses = tf.losses.get_regularization_losses()
  if regularization_losses:
    tf.summary.scalar('losses/regularization', tf.add_n(regularization_losses))
  tf.summary.scalar('losses/total', total_loss)


def add_variable_histograms():
  """Adds a histogram per trainable variable."""
  for variable in tf.trainable_variables():
    tf.summary.histogram('variables/' + variable.op.name, variable)


def add_image_summaries(images, labels, logits, dataset):
  """Adds pictures of input, label and prediction in the dataset's colours.

  Args:
    images: [batch, height, width, 3] float tensor in 0..255.
    labels: [batch, height, width, 1] int32 class ids.
    logits: [batch, h, w, classes] tensor.
    dataset: DatasetDescriptor; ignored pixels are grey where no class has their id.
  """
  # One entry per id of a byte, so that the ignore label has a colour too.
  palette = tf.constant(colormaps.colormap(
      dataset.colormap or _DEFAULT_COLORMAP, num_entries=256), tf.uint8)
  predictions = tf.expand_dims(tf.cast(tf.argmax(logits, 3), tf.int32), 3)
  predictions = tf.image.resize_nearest_neighbor(
      predictions, tf.shape(images)[1:3], align_corners=True)
  tf.summary.image('samples/image', tf.cast(images, tf.uint8), max_outputs=_MAX_IMAGES)
  for name, ids in (('label', labels), ('prediction', predictions)):
    colored = tf.gather(palette, tf.clip_by_value(ids[..., 0], 0, 255))
    tf.summary.image('samples/' + name, colored, max_outputs=_MAX_IMAGES)
