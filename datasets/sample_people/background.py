"""Scenes behind people: rooms, streets, parks, beaches, studios and plain colour noise."""
import numpy as np

from deeplab.datasets.sample_people import clutter, raster, textures
from deeplab.datasets.sample_people.textures import color_of

_WALLS = np.array([(0.86, 0.83, 0.77), (0.72, 0.77, 0.80), (0.62, 0.68, 0.60), (0.78, 0.62, 0.54),
                   (0.48, 0.54, 0.62), (0.90, 0.88, 0.85), (0.58, 0.46, 0.44), (0.35, 0.42, 0.40)])
_FLOORS = np.array([(0.56, 0.41, 0.28), (0.66, 0.52, 0.38), (0.42, 0.38, 0.36), (0.70, 0.68, 0.64),
                    (0.36, 0.26, 0.20)])
_FACADES = np.array([(0.62, 0.38, 0.30), (0.76, 0.70, 0.60), (0.55, 0.57, 0.60), (0.80, 0.62, 0.46),
                     (0.45, 0.36, 0.34), (0.68, 0.74, 0.76)])


def paint_background(canvas, random):
  """Paints a random scene over the whole canvas."""
  horizon = int(canvas.size[0] * random.uniform(0.55, 0.86))
  textures.pick(random, _SCENE_ODDS)(canvas, random, horizon)
  _soften(canvas.rgb, random)


def _soften(rgb, random):
  """Blurs the background in place, as a lens focused on the person does."""
  radius = int(random.choice([0, 1, 1, 2, 3]))
  for channel in range(3) if radius else ():
    padded = np.pad(rgb[..., channel], 2 * radius + 1, mode='edge')
    cut = slice(2 * radius + 1, -2 * radius - 1)
    rgb[..., channel] = raster.blur(padded, radius)[cut, cut]


def _vertical(size, colors, knots):
  """Returns a [h, w, 3] gradient through colours at fractions of the height."""
  y = np.linspace(0, 1, size[0])
  line = np.stack([np.interp(y, knots, np.asarray(colors)[:, c]) for c in range(3)], axis=1)
  return np.repeat(line[:, np.newaxis], size[1], axis=1)


def _paint_grained(area, random, color, strength, *wave, **options):
  """Paints a part of a picture in a colour, lighter and darker by noise; see textures.noise."""
  noise = textures.noise(random, area.shape[:2], *wave, **options)
  area[:] = color * (1 + strength * noise)[..., np.newaxis]


def _studio(canvas, random, horizon):
  color = color_of(random, np.concatenate([_WALLS, textures.GARMENT_COLORS]))
  height, width = canvas.size
  y, x = np.mgrid[0:height, 0:width]
  center = random.uniform(0.25, 0.75, 2) * (width, height)
  far = np.hypot(x - center[0], y - center[1]) / max(height, width)
  canvas.rgb[:] = color * (1.12 - 0.55 * far)[..., np.newaxis]
  canvas.rgb[horizon:] *= np.linspace(0.94, 1.08, height - horizon)[:, np.newaxis, np.newaxis]
  canvas.rgb += 0.02 * textures.noise(random, canvas.size, 60)[..., np.newaxis]
  if random.uniform() < 0.4:
    clutter.scatter(canvas, random, horizon, 'box plant patch', 2)


def _room(canvas, random, horizon):
  height, width = canvas.size
  wall = color_of(random, _WALLS)
  kind = random.choice(['plain', 'stripes', 'bars', 'tiles', 'dots'])
  canvas.rgb[:horizon] = wall
  if kind == 'tiles':
    _paint_tiles(canvas.rgb[:horizon], wall, random)
  elif kind != 'plain':
    paper = textures.sample_fabric(random)._replace(
        color=wall, second=np.clip(wall * random.uniform(0.8, 1.12), 0, 1), pattern=kind,
        period=random.uniform(14, 40), folds=0.0)
    y, x = np.mgrid[0:horizon, 0:width].astype(np.float64)
    canvas.rgb[:horizon] = paper(x, y)
  _paint_grained(canvas.rgb[horizon:], random, color_of(random, _FLOORS), 0.14, 50,
                 stretch=(0.12, 1.0))
  for row in np.cumsum(random.uniform(5, 9) * 1.5 ** np.arange(6)).astype(int):
    if horizon + row < height:
      canvas.rgb[horizon + row] *= 0.8
  canvas.rgb[max(horizon - int(random.uniform(4, 10)), 0):horizon] = np.clip(wall * 1.1, 0, 1)
  # Light falls in from a side.
  canvas.rgb *= np.linspace(random.uniform(0.75, 1.1), random.uniform(0.75, 1.1),
                            width)[:, np.newaxis]
  if random.uniform() < 0.6:
    clutter.paint_window(canvas, random, horizon)
  clutter.scatter(canvas, random, horizon, 'shelf plant box poster lamp poster cloth',
                  random.randint(2, 6))


def _paint_tiles(rgb, wall, random):
  """Paints bricks or tiles in place."""
  tall, wide = random.uniform(8, 22), random.uniform(16, 44)
  y, x = np.mgrid[0:rgb.shape[0], 0:rgb.shape[1]]
  row = np.floor(y / tall)
  u = x / wide + 0.5 * (row % 2)
  tint = np.sin(12.9 * row + 78.2 * np.floor(u)) * 0.07
  rgb[:] = wall * (1 + tint)[..., np.newaxis]
  joint = (y % tall < 1.6) | ((u - np.floor(u)) * wide < 1.6)
  rgb[joint] = 0.78 * wall


def _sky(canvas, random):
  top = np.array([(0.42, 0.62, 0.86), (0.62, 0.72, 0.82), (0.80, 0.82, 0.85), (0.93, 0.66, 0.48)])
  color = color_of(random, top)
  pale = 0.35 * color + 0.62
  canvas.rgb[:] = _vertical(canvas.size, [color, pale, pale], (0, 0.6, 1))
  clouds = np.clip(textures.noise(random, canvas.size, 90, stretch=(0.5, 1)), 0, 1)
  canvas.rgb += 0.35 * clouds[..., np.newaxis] * (1 - canvas.rgb)


def _street(canvas, random, horizon):
  height, width = canvas.size
  _sky(canvas, random)
  left = -random.uniform(0, 40)
  while left < width:
    wide = random.uniform(50, 130)
    _paint_house(canvas, random, int(left), int(left + wide), horizon)
    left += wide
  ground = _vertical((height - horizon, width), [(0.50, 0.50, 0.51), (0.62, 0.61, 0.60)], (0, 1))
  _paint_grained(canvas.rgb[horizon:], random, ground * random.uniform(0.7, 1.15), 0.07, 14, 3)
  canvas.rgb[horizon:horizon + 3] *= 0.7
  if random.uniform() < 0.5:
    clutter.paint_car(canvas, random, horizon)
  clutter.scatter(canvas, random, horizon, 'tree pole box patch poster cloth', random.randint(1, 5))


def _paint_house(canvas, random, left, right, horizon):
  """Paints a block of flats with windows between two columns."""
  color = color_of(random, _FACADES)
  roof = int(horizon * random.uniform(-0.1, 0.5))
  a, b = max(left, 0), min(right, canvas.size[1])
  if b <= a:
    return
  _paint_grained(canvas.rgb[max(roof, 0):horizon, a:b], random, color, 0.04, 20, 3)
  step_y, step_x = random.uniform(26, 46), random.uniform(20, 34)
  glass = np.array([(0.25, 0.30, 0.36), (0.55, 0.65, 0.72), (0.9, 0.82, 0.6)])
  for y in np.arange(roof + 10, horizon - step_y, step_y):
    for x in np.arange(left + 7, right - step_x * 0.7, step_x):
      pane = canvas.rgb[max(int(y), 0):max(int(y + 0.6 * step_y), 0),
                        max(int(x), 0):max(int(x + 0.55 * step_x), 0)]
      pane[:] = glass[random.choice(3, p=[0.6, 0.3, 0.1])] * random.uniform(0.85, 1.1)
      pane[-2:] = np.clip(color * 1.25, 0, 1)


def _park(canvas, random, horizon):
  height, width = canvas.size
  _sky(canvas, random)
  green = np.array([(0.24, 0.38, 0.16), (0.36, 0.46, 0.20), (0.48, 0.44, 0.18), (0.16, 0.30, 0.20)])
  base = color_of(random, green)
  leaves = textures.noise(random, (horizon, width), 60, 6, gain=0.75)
  edge = horizon * random.uniform(-0.2, 0.6) + 26 * textures.noise(random, (1, width), 60, 4)
  is_leaf = np.arange(horizon)[:, np.newaxis] > edge + 8 * leaves
  crown = base * (1 + 0.42 * leaves)[..., np.newaxis]
  canvas.rgb[:horizon][is_leaf] = np.clip(crown, 0.02, 1)[is_leaf]
  grass = textures.noise(random, (height - horizon, width), 24, 5, gain=0.8, stretch=(0.5, 1.0))
  meadow = color_of(random, green) * 1.25
  if random.uniform() < 0.3:
    meadow = np.array((0.66, 0.58, 0.46))  # A sandy path.
  canvas.rgb[horizon:] = np.clip(meadow * (1 + 0.20 * grass)[..., np.newaxis], 0.02, 1)
  clutter.scatter(canvas, random, horizon, 'tree tree bush pole patch', random.randint(1, 5))


def _beach(canvas, random, horizon):
  _sky(canvas, random)
  line = int(horizon * random.uniform(0.55, 0.85))
  sea = textures.jitter(random, (0.20, 0.46, 0.56))
  _paint_grained(canvas.rgb[line:horizon], random, sea, 0.22, 40, stretch=(0.12, 1.0))
  sand = textures.jitter(random, (0.84, 0.72, 0.55))
  _paint_grained(canvas.rgb[horizon:], random, sand, 0.08, 30, 5, gain=0.7)
  canvas.rgb[horizon:horizon + 4] += 0.15
  clutter.scatter(canvas, random, horizon, 'parasol pole cloth patch', random.randint(1, 4))


def _colour_noise(canvas, random, horizon):
  """Paints out-of-focus colour noise with the spectrum of photographs."""
  del horizon
  palette = np.concatenate([textures.GARMENT_COLORS, textures.SKIN_COLORS, _WALLS])
  colors = palette[random.permutation(len(palette))[:3]]
  first = np.clip(0.5 + 0.6 * textures.noise(random, canvas.size, 130, 6), 0, 1)[..., np.newaxis]
  second = np.clip(0.5 + 0.8 * textures.noise(random, canvas.size, 80, 6), 0, 1)[..., np.newaxis]
  mixed = colors[0] * (1 - first) + colors[1] * first
  canvas.rgb[:] = mixed * (1 - 0.6 * second) + 0.6 * second * colors[2]


_SCENE_ODDS = {_studio: 0.12, _room: 0.30, _street: 0.22, _park: 0.18, _beach: 0.08,
               _colour_noise: 0.10}
