"""How much an exported model may differ from its checkpoint."""
import typing

from absl import logging

# The mean IoU of fewer pictures says little.
LEAST_SCORED_PICTURES = 20


class Limits(typing.NamedTuple):
  """What an exported model may lose.

  Attributes:
    equal_pixels: least share of pixels with the label of the checkpoint, 0..1.
    miou_drop: largest loss of mean IoU, 0..1.
    needs_pictures: whether only pictures of the dataset tell: ranges of activations are those
      of photographs, what drawings are labelled says little.
  """
  equal_pixels: float = 0.99
  miou_drop: float = 0.005
  needs_pictures: bool = False


FLOAT = Limits()
_8_BITS = Limits(0.97, 0.02, needs_pictures=True)
# Kind of TFLite file -> limits. Keys are those of `tflite_graph.KINDS`.
TFLITE = {
    'float32': FLOAT,
    'float16': FLOAT,
    'dynamic': _8_BITS,
    'int8': _8_BITS,
    # Its training knew the rounding.
    'qat': _8_BITS._replace(equal_pixels=0.98),
}


class Comparison(typing.NamedTuple):
  """How a model compares with its checkpoint.

  Attributes:
    equal_pixels: share of pixels with the same label, 0..1.
    num_pictures: number of pictures of the dataset, 0 for drawn ones.
    miou: mean IoU of the model, 0..1, or None where labels are not known.
    checkpoint_miou: that of the checkpoint.
  """
  equal_pixels: float
  num_pictures: int
  miou: typing.Optional[float] = None
  checkpoint_miou: typing.Optional[float] = None

  def __str__(self):
    told = '%.2f %% of the pixels of %s have the label that the checkpoint gives them' % (
        100 * self.equal_pixels, '%d pictures of the dataset' % self.num_pictures
        if self.num_pictures else 'drawn pictures')
    if self.miou is not None:
      told += '; mean IoU %.2f %%, of the checkpoint %.2f %%' % (
          100 * self.miou, 100 * self.checkpoint_miou)
    return told


def check(name, comparison, limits):
  """Logs a Comparison.

  Args:
    name: name of the format.
    comparison: Comparison.
    limits: Limits.

  Raises:
    ValueError: the limits are exceeded.
  """
  told = '%s: %s' % (name, comparison)
  logging.info('%s.', told)
  if comparison.equal_pixels < limits.equal_pixels:
    if limits.needs_pictures and not comparison.num_pictures:
      logging.warning('Give --dataset_dir to compare on its pictures.')
      return
    raise ValueError('%s; at least %.0f %% should. Nothing was written.'
                     % (told, 100 * limits.equal_pixels))
  if (comparison.miou is not None and comparison.num_pictures >= LEAST_SCORED_PICTURES
      and comparison.checkpoint_miou - comparison.miou > limits.miou_drop):
    raise ValueError('%s; it may fall by %.1f points. Nothing was written.'
                     % (told, 100 * limits.miou_drop))
