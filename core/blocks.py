"""Blocks of a backbone: stride traded for dilation, stacks of units, and symmetric padding."""
import typing

from deeplab.core.tf_compat import add_arg_scope, slim, tf
from deeplab.core.usage import UsageError

DEFAULT_MULTI_GRID = [1, 1, 1]
_INPUT = 'input'


def name_input(images, scope):
  """Returns what a network sees as the tensor `input_name(scope)`; call within its scope.

  Scripts for published frozen graphs cut them there.
  """
  with tf.name_scope(scope):
    return tf.identity(images, _INPUT)


def input_name(scope):
  """Returns the name of the input of a network of a scope that has one."""
  return '%s/%s/%s' % (scope, scope, _INPUT)


class StrideBudget(object):
  """Hands out (stride, rate) to the layers of a backbone, in order.

  Layers stride as designed until the product of strides equals `output_stride`; from then on they
  keep resolution, and the strides they gave up become the atrous rate of the layers that follow
  (Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation", 2017, section 3.1).
  """

  def __init__(self, output_stride=None):
    """Starts at stride 1, rate 1; `output_stride` None never trades."""
    self.output_stride = output_stride
    self.current_stride = 1
    self.rate = 1

  def next(self, stride):
    """Returns (stride, rate) for a layer whose designed stride is `stride`.

    Raises ValueError if the designed strides jump over `output_stride`.
    """
    if self.current_stride == self.output_stride:
      rate = self.rate
      self.rate *= stride
      return 1, rate
    self.current_stride *= stride
    if self.output_stride is not None and self.current_stride > self.output_stride:
      raise UsageError(
          'output_stride=%d cannot be reached: the strides of this network multiply to %d.'
          % (self.output_stride, self.current_stride))
    return stride, 1

  def check_reached(self):
    """Raises ValueError when the network ended at a smaller stride than asked for."""
    if self.output_stride is not None and self.current_stride != self.output_stride:
      raise UsageError(
          'output_stride=%d cannot be reached: this network only goes down to stride %d.'
          % (self.output_stride, self.current_stride))


class Block(typing.NamedTuple):
  """One block of a backbone."""
  scope: str  # Variable scope of the block; its units are `<scope>/unit_<n>`.
  unit_fn: typing.Callable  # Function (inputs, rate=, **row) -> outputs that builds one unit.
  # List of rows, one dict of keyword arguments of unit_fn per unit; the row's 'stride' (default 1)
  # is the one the unit is designed with.
  args: typing.Sequence[dict]


@add_arg_scope
def stack_blocks_dense(net, blocks, output_stride=None, outputs_collections=None,
                       root_stride=1):
  """Applies blocks in order; strides beyond output_stride become atrous rates.

  Args:
    net: [batch, height, width, channels] tensor.
    blocks: list of Block.
    output_stride: size of the network input over size of the result, or None for the designed one.
    outputs_collections: collection that receives the output of every block, or None.
    root_stride: size of the network input over size of `net`.

  Returns a [batch, h, w, channels] tensor, h = ceil(height * root_stride / output_stride). Raises
  ValueError if the blocks cannot give output_stride.
  """
  if output_stride is not None and (output_stride <= 0 or output_stride % root_stride):
    raise UsageError('output_stride must be a multiple of %d for this network, got %s.'
                     % (root_stride, output_stride))
  strides = StrideBudget(output_stride)
  strides.current_stride = root_stride
  for block in blocks:
    with tf.variable_scope(block.scope, 'block', [net]) as scope:
      for index, row in enumerate(block.args):
        stride, rate = strides.next(row.get('stride', 1))
        with tf.variable_scope('unit_%d' % (index + 1), values=[net]):
          net = block.unit_fn(net, rate=rate, **dict(row, stride=stride))
      net = slim.utils.collect_named_outputs(outputs_collections, scope.name, net)
  strides.check_reached()
  return net


def check_multi_grid(multi_grid, num_units=3):
  """Returns the rates of the units of the last block, a list of ints; None is 1 for each.

  Raises ValueError unless there are num_units positive rates.
  """
  rates = [1] * num_units if multi_grid is None else list(multi_grid)
  if len(rates) != num_units or min(rates) < 1:
    raise UsageError('multi_grid must be %d positive rates such as %s, got %s.' % (
        num_units, ','.join(str(2 ** unit) for unit in range(num_units)), multi_grid))
  return rates


def fixed_padding(inputs, kernel_size, rate=1):
  """Pads both spatial sides with zeros by what a kernel needs, whatever the input size.

  TensorFlow's SAME padding depends on the input size when striding; this does not, so
  features stay aligned at every size. Kernel size and atrous rate are those of the VALID
  convolution to come; [batch, height, width, channels] inputs become
  [batch, height + k - 1, width + k - 1, channels], k being the dilated kernel size.
  """
  total = (kernel_size - 1) * rate
  before = total // 2
  sides = [before, total - before]
  return tf.pad(inputs, [[0, 0], sides, sides, [0, 0]])


def classify(net, end_points, global_pool, num_classes, scope_name, dropout=None):
  """Adds the end of an image classifier, as far as it is asked for.

  Args:
    net: [batch, height, width, channels] features.
    end_points: dict that receives `global_pool`, `<scope_name>/logits` and `predictions`.
    global_pool: whether features are averaged over the image.
    num_classes: adds a 1x1 convolution without normaliser when set, else None.
    dropout: function of features that comes before that convolution, or None.

  Returns features (or logits) [batch, h, w, channels], h = w = 1 after pooling.
  """
  if global_pool:
    net = tf.reduce_mean(net, [1, 2], keepdims=True, name='global_pool')
    end_points['global_pool'] = net
  if num_classes:
    net = slim.conv2d(dropout(net) if dropout else net, num_classes, 1, activation_fn=None,
                      normalizer_fn=None, scope='logits')
    end_points[scope_name + '/logits'] = net
    end_points['predictions'] = slim.softmax(net, scope='predictions')
  return net
