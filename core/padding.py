"""What there is outside of an image and its label."""
import typing


class Padding(typing.NamedTuple):
  """Colour and label of pixels that are not of the image.

  Attributes:
    mean_pixel: RGB in 0..255, three numbers, that the network's scaling maps to about 0.
    ignore_label: label that does not count.
  """
  mean_pixel: typing.Sequence[float]
  ignore_label: int
