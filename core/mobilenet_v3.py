"""MobileNetV3 and MobileNetEdgeTPU as tables of the blocks of MobileNetV2.

The forms for segmentation of V3 have half the channels from the last stride on.

References:
  Howard et al., "Searching for MobileNetV3", ICCV 2019, tables 1 and 2, section 6.4.
  Gupta and Akin, "Accelerator-aware Neural Network Design using AutoML", 2020.
"""
import functools

from deeplab.core import layers, mobilenet_v2
from deeplab.core.mobilenet_v2 import Block, Network
from deeplab.core.tf_compat import slim, tf

# Channel counts are multiples of this, at least, at every width.
DIVISOR = 8

_swish = functools.partial(Block, activation=layers.hard_swish)
_fused = functools.partial(Block, is_fused=True)

NETWORKS = {
    'mobilenet_v3_large_seg': Network(16, (
        Block(16, expansion=1),
        Block(24, 2, 4), Block(24, 1, 3),
        Block(40, 2, 3, 5, has_gates=True), Block(40, 1, 3, 5, has_gates=True),
        Block(40, 1, 3, 5, has_gates=True),
        _swish(80, 2, 6), _swish(80, 1, 2.5), _swish(80, 1, 2.3), _swish(80, 1, 2.3),
        _swish(112, 1, 6, has_gates=True), _swish(112, 1, 6, has_gates=True),
        _swish(80, 2, 3, 5, has_gates=True), _swish(80, 1, 6, 5, has_gates=True),
        _swish(80, 1, 6, 5, has_gates=True),
    ), last_outputs=480, activation=layers.hard_swish),
    'mobilenet_v3_small_seg': Network(16, (
        Block(16, 2, 1, has_gates=True),
        Block(24, 2, 4.5), Block(24, 1, 88 / 24.),
        _swish(40, 2, 4, 5, has_gates=True), _swish(40, 1, 6, 5, has_gates=True),
        _swish(40, 1, 6, 5, has_gates=True),
        _swish(48, 1, 3, 5, has_gates=True), _swish(48, 1, 3, 5, has_gates=True),
        _swish(48, 2, 3, 5, has_gates=True), _swish(48, 1, 6, 5, has_gates=True),
        _swish(48, 1, 6, 5, has_gates=True),
    ), last_outputs=288, activation=layers.hard_swish),
    'mobilenet_edgetpu': Network(32, (
        _fused(16, expansion=1),
        _fused(32, 2, 8), _fused(32, 1, 4), _fused(32, 1, 4), _fused(32, 1, 4),
        _fused(48, 2, 8), _fused(48, 1, 4), _fused(48, 1, 4), _fused(48, 1, 4),
        Block(96, 2, 8), Block(96, 1, 4), Block(96, 1, 4), Block(96, 1, 4),
        Block(96, 1, 8, has_residual=False), Block(96, 1, 4), Block(96, 1, 4), Block(96, 1, 4),
        Block(160, 2, 8, 5), Block(160, 1, 4, 5), Block(160, 1, 4, 5), Block(160, 1, 4, 5),
        Block(192, 1, 8),
    ), last_outputs=1280),
}


def _variant(name, scope):
  """Returns the function that builds a network of the table, called as it is."""
  def network(images, depth_multiplier=1.0, output_stride=None, final_endpoint=None, reuse=None,
              scope=scope):
    """Builds the network; call within `mobilenet_v2_arg_scope`.

    Arguments, results and errors are those of `mobilenet_v2.mobilenet_v2_base`, but for
    divisible_by: channel counts are multiples of 8 at every depth_multiplier.
    """
    depth = mobilenet_v2.depth_function(depth_multiplier, DIVISOR, DIVISOR)
    with tf.variable_scope(scope, name, [images], reuse=reuse), \
         slim.arg_scope([layers.conv2d, layers.depthwise_conv2d], activation_fn=tf.nn.relu):
      return mobilenet_v2.build(images, NETWORKS[name], depth, output_stride, final_endpoint)

  network.__name__ = network.__qualname__ = name
  return network


mobilenet_v3_large_seg = _variant('mobilenet_v3_large_seg', 'MobilenetV3')
mobilenet_v3_small_seg = _variant('mobilenet_v3_small_seg', 'MobilenetV3')
mobilenet_edgetpu = _variant('mobilenet_edgetpu', 'MobilenetEdgeTPU')
