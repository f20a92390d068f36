"""Gradients of the weights of 1x1 convolutions as matrix products.

    x [B, h, w, inputs], dy [B, h, w, outputs] -> x^T dy [1, 1, inputs, outputs]

The same sum, which processors compute up to twice as fast as a product of two matrices than as
the gradient of a convolution: a tenth of a training step of MobileNetV2.
"""
from deeplab.core import tf_compat
from deeplab.core.tf_compat import tf

# Name scope of the products.
SCOPE = 'filter_gradient'
_TYPE = 'Conv2DBackpropFilter'
# With more rows than this both take as long (oneDNN, 2 cores).
_MOST_ROWS = 1 << 15


def use_matrix_products(operations):
  """Replaces the gradients of the weights of 1x1 convolutions; none where there are GPUs.

  To be called when the readers of the gradients are there, and before any session.

  Args:
    operations: list of tf.Operation; those that are no such gradient stay as they are.

  Returns:
    dict, name of a tensor -> tensor to use in its place. Operations that read it do so already.
  """
  # On GPUs the library of the convolutions chooses for itself.
  if tf_compat.num_gpus():
    return {}
  replaced = {}
  for operation in operations:
    if _is_matrix_product(operation):
      gradient, = operation.outputs
      readers = gradient.consumers()
      with tf.device(operation.device):
        product = _matrix_product(operation.inputs[0], operation.inputs[2], gradient.shape)
      for reader in readers:
        for position, tensor in enumerate(reader.inputs):
          if tensor is gradient:
            reader._update_input(position, product)
      replaced[gradient.name] = product
  return replaced


def _matrix_product(inputs, out_gradients, shape):
  """Returns the gradient of weights of a shape, [1, 1, inputs, outputs]."""
  _, _, num_inputs, num_outputs = shape.as_list()
  with tf.name_scope(SCOPE):
    product = tf.matmul(tf.reshape(inputs, [-1, num_inputs]),
                        tf.reshape(out_gradients, [-1, num_outputs]), transpose_a=True)
    return tf.reshape(product, shape)


def _is_matrix_product(operation):
  """Whether this is the gradient of the weights of a 1x1 convolution without stride."""
  if operation.type != _TYPE:
    return False
  weights, out_gradients = operation.outputs[0].shape, operation.inputs[2].shape
  return (weights.is_fully_defined() and weights.as_list()[:2] == [1, 1]
          and list(operation.get_attr('strides')) == [1, 1, 1, 1]
          and operation.get_attr('data_format') == b'NHWC'
          and operation.get_attr('padding') in (b'SAME', b'VALID')
          and out_gradients.is_fully_defined()
          and out_gradients.num_elements() <= _MOST_ROWS * out_gradients.as_list()[3])
