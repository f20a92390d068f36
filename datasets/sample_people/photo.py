"""What a camera adds, and the label rim that annotators leave."""
import numpy as np

from deeplab.datasets.sample_people.canvas import IGNORE


def expose(rgb, random):
  """Returns the [h, w, 3] uint8 photograph of a picture in about 0..1.

  Adds exposure, contrast, colour cast, dark corners, slight blur and sensor noise.
  """
  height, width = rgb.shape[:2]
  rgb = np.clip(rgb, 0, 1.2)
  contrast, gain = random.uniform(0.85, 1.12), random.uniform(0.85, 1.12)
  cast = 1 + random.normal(0, 0.03, 3)
  rgb = (0.5 + contrast * (rgb - 0.5)) * gain * cast
  y, x = np.linspace(-1, 1, height)[:, np.newaxis], np.linspace(-1, 1, width)
  rgb = rgb * (1 - random.uniform(0, 0.2) * (x * x + y * y) / 2)[..., np.newaxis]
  rgb = _blur3(rgb, random.choice([0.0, 0.05, 0.10, 0.18]))
  grain = random.normal(0, random.uniform(0.003, 0.013), (height, width))
  for channel in range(3):  # Mostly grey grain, with a little colour.
    rgb[..., channel] += grain + 0.5 * np.roll(grain, 17 * (channel + 1))
  return (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)


def add_ignore_rim(labels):
  """Returns a copy of [h, w] labels with IGNORE where two classes meet.

  Both of two neighbours (left-right or above-below) of different classes become IGNORE, so
  that the rim is two pixels wide, and one where a part is one pixel wide.
  """
  rimmed = labels.copy()
  differs = labels[:, 1:] != labels[:, :-1]
  rimmed[:, 1:][differs] = IGNORE
  rimmed[:, :-1][differs] = IGNORE
  differs = labels[1:] != labels[:-1]
  rimmed[1:][differs] = IGNORE
  rimmed[:-1][differs] = IGNORE
  return rimmed


def _blur3(rgb, side):
  """Blurs by the kernel (side, 1 - 2 side, side) in both directions."""
  if not side:
    return rgb
  padded = np.pad(rgb, ((1, 1), (0, 0), (0, 0)), mode='edge')
  rgb = (1 - 2 * side) * rgb + side * (padded[:-2] + padded[2:])
  padded = np.pad(rgb, ((0, 0), (1, 1), (0, 0)), mode='edge')
  return (1 - 2 * side) * rgb + side * (padded[:, :-2] + padded[:, 2:])
