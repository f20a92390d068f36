"""The rule that trades stride for dilation once the output stride is reached."""


class StrideBudget(object):
  """Hands out (stride, rate) to the layers of a backbone, in order.

  Layers stride as designed until the product of strides equals `output_stride`; from then
  on they keep resolution, and the strides they gave up become the atrous rate of the
  layers that follow (Chen et al., "Rethinking Atrous Convolution for Semantic Image
  Segmentation", 2017, section 3.1).
  """

  def __init__(self, output_stride=None):
    """Starts at stride 1, rate 1; `output_stride` None never trades."""
    self.output_stride = output_stride
    self.current_stride = 1
    self.rate = 1

  def next(self, stride):
    """Returns (stride, rate) for a layer whose designed stride is `stride`.

    Raises:
      ValueError: the designed strides jump over `output_stride`.
    """
    if self.current_stride == self.output_stride:
      rate = self.rate
      self.rate *= stride
      return 1, rate
    self.current_stride *= stride
    if self.output_stride is not None and self.current_stride > self.output_stride:
      raise ValueError(
          'output_stride=%d cannot be reached: the strides of this network multiply to %d.'
          % (self.output_stride, self.current_stride))
    return stride, 1

  def check_reached(self):
    """Raises ValueError when the network ended at a smaller stride than asked for."""
    if self.output_stride is not None and self.current_stride != self.output_stride:
      raise ValueError(
          'output_stride=%d cannot be reached: this network only goes down to stride %d.'
          % (self.output_stride, self.current_stride))
