"""One picture of the dataset: people, placed and framed in front of a background.

    picture = render(seed=0, split='train', index=7)

Everything follows from (seed, split, index), so pictures can be made in any order.
"""
import hashlib
import typing

import numpy as np

from deeplab.datasets.sample_people import background, body, clutter, person, textures
from deeplab.datasets.sample_people.canvas import BACKGROUND, IGNORE, Canvas, Light, Painter

MIN_SIDE, MAX_SIDE = 200, 400
# Least share of the pixels that people cover; sparser pictures are sampled again.
_LEAST_COVER = 0.05
# What is to be seen of a person, down to where.
_FRAMINGS = {'full': 0.78, 'knees': 0.12, 'hips': 0.10}


class Picture(typing.NamedTuple):
  """A rendered picture."""
  image: np.ndarray  # [height, width, 3] uint8.
  labels: np.ndarray  # [height, width] uint8 class ids, with the ignore rim.
  dense_labels: np.ndarray  # The same without the rim.
  # [num_people, 18, 3] float32 (x, y, visibility), pixels, in the order of body.LANDMARKS;
  # visibility 0 outside of the image or behind an occluder, else 1. Points under clothes or
  # behind the body count as visible. The nearest person comes first.
  landmarks: np.ndarray


def render(seed, split, index):
  """Returns the Picture number `index` of a split."""
  digest = hashlib.sha256(('%d/%s/%d' % (seed, split, index)).encode('utf-8')).digest()
  random = np.random.RandomState(np.frombuffer(digest, '<u4').astype(np.uint32))
  while True:
    picture = _render(random)
    if (picture.dense_labels != BACKGROUND).mean() >= _LEAST_COVER:
      return picture


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
  """Returns a copy of [h, w] labels with IGNORE where two classes meet, on both sides.

  The rim is two pixels wide, and one where a part is one pixel wide.
  """
  rimmed = labels.copy()
  for rim, classes in ((rimmed, labels), (rimmed.T, labels.T)):
    differs = classes[1:] != classes[:-1]
    rim[1:][differs] = IGNORE
    rim[:-1][differs] = IGNORE
  return rimmed


def _render(random):
  num_people = 2 if random.uniform() < 0.12 else 1
  size = _sample_size(random, num_people)
  canvas = Canvas(np.zeros(size + (3,)), _sample_light(random))
  background.paint_background(canvas, random)
  placed = _place(random, canvas, num_people)
  for figure, painter in placed[::-1]:
    person.paint_person(painter, figure, person.sample_outfit(random))
  shown = canvas.labels != BACKGROUND
  if random.uniform() < 0.25:
    clutter.paint_occluder(canvas, random)
  hidden = shown & (canvas.labels == BACKGROUND)
  image = expose(canvas.rgb, random)
  landmarks = [_with_visibility(painter.to_pixels(figure.landmarks()), hidden)
               for figure, painter in placed]
  return Picture(image, add_ignore_rim(canvas.labels), canvas.labels,
                 np.array(landmarks, np.float32))


def _sample_size(random, num_people):
  """Returns (height, width), mostly portrait."""
  if num_people > 1:
    return random.randint(260, 361), random.randint(300, MAX_SIDE + 1)
  if random.uniform() < 0.15:
    return random.randint(240, 331), random.randint(240, 361)
  height = random.randint(290, MAX_SIDE + 1)
  return height, max(int(height * random.uniform(0.52, 0.74)), MIN_SIDE)


def _sample_light(random):
  direction = np.array([random.uniform(-0.65, 0.65), random.uniform(-0.6, -0.2), 0.75])
  return Light(direction / np.sqrt((direction ** 2).sum()), random.uniform(0.35, 0.6))


def _place(random, canvas, num_people):
  """Returns [(Body, Painter)] of the people, the nearest first."""
  height, width = canvas.size
  framing = textures.pick(random, _FRAMINGS)
  bodies = [body.sample_body(random) for _ in range(num_people)]
  tallest = max(-figure.head_center[1] + 0.85 for figure in bodies)
  bottom = {'full': 0.0, 'knees': -1.7 + random.uniform(-0.3, 0.3),
            'hips': -3.2 + random.uniform(-0.3, 0.4)}[framing]
  fill = random.uniform(0.88, 0.98)
  unit = height * fill / (tallest + bottom)
  margin = height * (1 - fill) * random.uniform(0.2, 0.8) if framing == 'full' else 0.0
  floor = height - margin - unit * bottom - (0.12 * unit if framing == 'full' else 0)
  placed = []
  for i, figure in enumerate(bodies):
    center = width * ((i + 0.5) / num_people + random.uniform(-0.06, 0.06))
    depth = random.uniform(0.0, 0.14) if i else 0.0
    scale = unit * (1 - depth)
    reach = np.concatenate([limb.joints for limb in figure.arms + figure.legs])[:, 0]
    if num_people == 1:
      # Outstretched arms move the body aside, so that they stay in the picture.
      center -= 0.7 * scale * 0.5 * (reach.min() + reach.max())
    placed.append((figure, Painter(canvas, scale, (center, floor - 0.5 * depth * unit))))
  return placed


def _with_visibility(points, hidden):
  height, width = hidden.shape
  x, y = np.floor(points).astype(np.int64).T
  inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
  visible = inside.copy()
  visible[inside] &= ~hidden[y[inside], x[inside]]
  return np.concatenate([points, visible[:, np.newaxis]], axis=1)


def _blur3(rgb, side):
  """Blurs by the kernel (side, 1 - 2 side, side) in both directions."""
  for _ in range(2 if side else 0):
    padded = np.pad(rgb, ((1, 1), (0, 0), (0, 0)), mode='edge')
    rgb = (1 - 2 * side) * rgb + side * (padded[:-2] + padded[2:])
    rgb = rgb.swapaxes(0, 1)
  return rgb
