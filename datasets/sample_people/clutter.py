"""Things that stand about: furniture, plants, posters, cars, and what hides people.

Some wear the colours and patterns of clothes, skin and hair: colour alone tells nothing.
"""
import numpy as np

from deeplab.datasets.sample_people import raster, textures
from deeplab.datasets.sample_people.canvas import BACKGROUND
from deeplab.datasets.sample_people.textures import color_of

_WOOD = np.array([(0.45, 0.30, 0.18), (0.62, 0.45, 0.28), (0.30, 0.20, 0.14), (0.80, 0.70, 0.56)])
_PAINTS = np.concatenate([_WOOD, textures.GARMENT_COLORS])
_POTS = np.concatenate([_WOOD, textures.SKIN_COLORS])
_PEOPLE = np.concatenate([textures.GARMENT_COLORS, textures.SKIN_COLORS])
_GREENS = np.array([(0.20, 0.38, 0.18), (0.32, 0.48, 0.20), (0.16, 0.32, 0.24), (0.45, 0.50, 0.22)])


def scatter(canvas, random, horizon, kinds, count):
  """Paints `count` random things of `kinds`, words of names of functions below."""
  kinds = kinds.split()
  for _ in range(count):
    _THINGS[kinds[random.randint(len(kinds))]](canvas, random, horizon)


def paint_occluder(canvas, random):
  """Paints something in front of everything, labelled background."""
  _OCCLUDERS[random.randint(len(_OCCLUDERS))](canvas, random)


def paint_window(canvas, random, horizon):
  """Paints a window with a view of sky and trees on a wall."""
  height, width = int(horizon * random.uniform(0.35, 0.6)), int(random.uniform(60, 110))
  top, left = int(random.uniform(0.05, 0.2) * horizon), random.randint(-30, canvas.size[1] - 30)
  _rectangle(canvas, left - 5, top - 5, left + width + 5, top + height + 5, (0.93, 0.92, 0.9))
  sky = np.array((0.78, 0.87, 0.94)) * random.uniform(0.85, 1.05)
  _rectangle(canvas, left, top, left + width, top + height, sky)
  _rectangle(canvas, left, top + int(0.6 * height), left + width, top + height,
             color_of(random, _GREENS) * 1.2)
  _rectangle(canvas, left + width // 2 - 2, top, left + width // 2 + 2, top + height,
             (0.93, 0.92, 0.9))


def paint_car(canvas, random, horizon):
  """Paints a parked car on the far side of the street."""
  unit = random.uniform(22, 34)
  x, y = random.uniform(-1, canvas.size[1] / unit) * unit, horizon + 4
  color = color_of(random, textures.GARMENT_COLORS)
  body = np.array([(-2.2, -0.3), (-2.1, -0.9), (-1.3, -1.05), (-0.8, -1.6), (0.7, -1.6),
                   (1.3, -1.05), (2.1, -0.9), (2.25, -0.3)]) * unit + (x, y)
  glass = np.array([(-1.0, -1.05), (-0.68, -1.48), (0.6, -1.48), (1.02, -1.05)]) * unit + (x, y)
  _polygon(canvas, body, color, 8)
  _polygon(canvas, glass, (0.25, 0.3, 0.35))
  for side in (-1.25, 1.25):
    _disc(canvas, (x + side * unit, y - 0.3 * unit), 0.42 * unit, (0.1, 0.1, 0.11))
    _disc(canvas, (x + side * unit, y - 0.3 * unit), 0.2 * unit, (0.6, 0.6, 0.62))


# --- things ---


def _shelf(canvas, random, horizon):
  wide, tall = random.uniform(40, 90), random.uniform(0.4, 0.85) * horizon
  left, floor = random.uniform(-30, canvas.size[1] - 20), horizon + random.uniform(4, 14)
  wood = color_of(random, _WOOD)
  _rectangle(canvas, left, floor - tall, left + wide, floor, wood)
  top = floor - tall + 5
  while top + 20 < floor:
    board = min(random.uniform(24, 40), floor - 5 - top)
    _rectangle(canvas, left + 4, top, left + wide - 4, top + board, wood * 0.45)
    x = left + 6
    while x + 12 < left + wide:
      thick, high = random.uniform(4, 11), board * random.uniform(0.5, 0.9)
      _rectangle(canvas, x, top + board - high, x + thick, top + board,
                 color_of(random, textures.GARMENT_COLORS))
      x += thick + random.choice([0.5, 0.5, 6])
    top += board + 4


def _box(canvas, random, horizon):
  wide, tall = random.uniform(25, 80, 2)
  left, floor = random.uniform(-30, canvas.size[1] - 10), horizon + random.uniform(5, 30)
  color = color_of(random, _PAINTS)
  depth = random.uniform(6, 16)
  front = [(left, floor - tall), (left + wide, floor - tall), (left + wide, floor), (left, floor)]
  lid = [(left, floor - tall), (left + depth, floor - tall - depth),
         (left + wide + depth, floor - tall - depth), (left + wide, floor - tall)]
  flank = [(left + wide, floor - tall), (left + wide + depth, floor - tall - depth),
           (left + wide + depth, floor - depth), (left + wide, floor)]
  _polygon(canvas, front, color)
  _polygon(canvas, lid, np.clip(color * 1.2, 0, 1))
  _polygon(canvas, flank, color * 0.7)


def _plant(canvas, random, horizon):
  x, floor = random.uniform(0, canvas.size[1]), horizon + random.uniform(5, 25)
  pot, size = random.uniform(10, 18), random.uniform(40, 90)
  _leaves(canvas, random, (x, floor - 1.6 * pot), size, 14)
  _polygon(canvas, [(x - pot, floor - 1.8 * pot), (x + pot, floor - 1.8 * pot),
                    (x + 0.7 * pot, floor), (x - 0.7 * pot, floor)],
           color_of(random, _POTS), 6)


def _leaves(canvas, random, root, size, count):
  green = color_of(random, _GREENS)
  for _ in range(count):
    angle = random.uniform(-1.25, 1.25)
    ahead = np.array([np.sin(angle), -np.cos(angle)]) * size * random.uniform(0.6, 1.0)
    middle = np.asarray(root) + 0.55 * ahead
    tip = np.asarray(root) + ahead + (0, 0.15 * size * abs(angle))
    path = raster.round_corners([root, middle, tip], 0.4)
    widths = np.interp(np.linspace(0, 1, len(path)), (0, 0.5, 0.7, 1), (1, 5, 5, 0.6))
    _tube(canvas, path, widths * size / 70, green * random.uniform(0.7, 1.3))


def _poster(canvas, random, horizon):
  """Paints a framed picture; now and then a portrait that is no person."""
  wide, tall = random.uniform(30, 70), random.uniform(35, 80)
  left = random.uniform(-15, canvas.size[1] - 25)
  top = random.uniform(0.03, 0.5) * horizon
  frame = color_of(random, _WOOD) * 0.6
  _rectangle(canvas, left - 3, top - 3, left + wide + 3, top + tall + 3, frame)
  _rectangle(canvas, left, top, left + wide, top + tall, color_of(random, _PEOPLE))
  if random.uniform() < 0.5:
    _rectangle(canvas, left, top + 0.6 * tall, left + wide, top + tall, color_of(random, _PEOPLE))
  _disc(canvas, (left + wide * random.uniform(0.3, 0.7), top + tall * 0.4), 0.2 * wide,
        color_of(random, _PEOPLE))


def _patch(canvas, random, horizon):
  """Paints a blob in the fabric of a garment or the colour of skin or hair."""
  center = random.uniform(0, 1, 2) * (canvas.size[1], min(horizon + 40, canvas.size[0]))
  turn = np.arange(9) * (2 * np.pi / 9)
  size = random.uniform(14, 45) * random.uniform(0.6, 1.3, 9)
  outline = np.stack([center[0] + size * np.cos(turn), center[1] + size * np.sin(turn)], axis=1)
  roundness = random.uniform(0, 20)
  _polygon(canvas, raster.smooth(outline), _fabric(random), roundness)


def _cloth(canvas, random, horizon):
  """Paints a hanging towel or coat in a fabric."""
  wide, tall = random.uniform(22, 48), random.uniform(40, 110)
  left, top = random.uniform(0, canvas.size[1] - 20), random.uniform(0.1, 0.5) * horizon
  outline = [(left, top), (left + wide, top), (left + wide * 1.1, top + tall),
             (left + 0.5 * wide, top + tall * 1.05), (left - 0.1 * wide, top + tall)]
  _polygon(canvas, outline, _fabric(random), 12)


def _fabric(random):
  colors = (textures.GARMENT_COLORS, textures.SKIN_COLORS, textures.HAIR_COLORS)[
      random.choice(3, p=[0.5, 0.35, 0.15])]
  return textures.sample_fabric(random, colors, plain=colors is not textures.GARMENT_COLORS)


def _lamp(canvas, random, horizon):
  x, floor = random.uniform(0, canvas.size[1]), horizon + 8
  top = horizon * random.uniform(0.15, 0.45)
  _rectangle(canvas, x - 1.5, top, x + 1.5, floor, (0.2, 0.2, 0.2))
  _polygon(canvas, [(x - 12, top - 18), (x + 12, top - 18), (x + 20, top + 14), (x - 20, top + 14)],
           (0.97, 0.90, 0.70), 10)


def _tree(canvas, random, horizon):
  x, floor = random.uniform(-10, canvas.size[1] + 10), horizon + random.uniform(0, 14)
  thick = random.uniform(5, 13)
  _tube(canvas, [(x, floor), (x + random.uniform(-10, 10), 0.3 * horizon)], (thick, 0.6 * thick),
        color_of(random, _WOOD) * 0.8)
  green = color_of(random, _GREENS)
  for _ in range(9):
    center = (x + random.normal(0, 26), 0.28 * horizon + random.normal(0, 26))
    _disc(canvas, center, random.uniform(16, 36), green * random.uniform(0.75, 1.25), 14)


def _bush(canvas, random, horizon):
  x, green = random.uniform(0, canvas.size[1]), color_of(random, _GREENS)
  for _ in range(7):
    _disc(canvas, (x + random.normal(0, 22), horizon - random.uniform(-4, 22)),
          random.uniform(10, 24), green * random.uniform(0.75, 1.25), 10)


def _pole(canvas, random, horizon):
  x, floor = random.uniform(0, canvas.size[1]), horizon + random.uniform(2, 20)
  radius = random.uniform(2, 6)
  _tube(canvas, [(x, -10), (x, floor)], radius, color_of(random, _PEOPLE))


def _parasol(canvas, random, horizon):
  x, size, y = random.uniform(0, canvas.size[1]), random.uniform(40, 70), 0.5 * horizon
  _tube(canvas, [(x, y - 0.4 * size), (x, horizon + 10)], 2, (0.9, 0.9, 0.88))
  outline = raster.curve((x - size, y), (x - 0.6 * size, y - 0.4 * size), (x, y - 0.55 * size),
                         (x + 0.6 * size, y - 0.4 * size), (x + size, y))
  fabric = textures.sample_fabric(random)._replace(pattern='bars', period=size / 90)
  _polygon(canvas, outline, fabric, 8)


# --- occluders ---


def _front_pole(canvas, random):
  height, width = canvas.size
  x, radius = random.uniform(0.1, 0.9) * width, random.uniform(4, 9)
  _tube(canvas, [(x, -20), (x + random.uniform(-6, 6), height + 20)], radius,
        color_of(random, _PAINTS))


def _front_table(canvas, random):
  height, width = canvas.size
  top, wide = height * random.uniform(0.74, 0.9), random.uniform(0.3, 0.6) * width
  left = random.choice([-0.1 * width, 1.1 * width - wide])
  wood = color_of(random, _PAINTS)
  _rectangle(canvas, left, top, left + wide, height, wood * 0.8)
  _rectangle(canvas, left - 3, top - 7, left + wide + 3, top + 2, np.clip(wood * 1.15, 0, 1))


def _front_leaves(canvas, random):
  height, width = canvas.size
  root = random.choice([0.0, 1.0]) * width, height + 5
  _leaves(canvas, random, root, random.uniform(90, 150), 12)


def _front_rail(canvas, random):
  height, width = canvas.size
  y, color = height * random.uniform(0.55, 0.85), color_of(random, textures.GARMENT_COLORS)
  for offset in (0, random.uniform(30, 60)):
    _tube(canvas, [(-20, y + offset), (width + 20, y + offset)], 3, color)
  for x in np.arange(random.uniform(0, 60), width, 80):
    _tube(canvas, [(x, y), (x, height + 20)], 3, color)


def _front_blob(canvas, random):
  """Paints something close and out of focus at the border."""
  height, width = canvas.size
  center = (random.choice([0.0, 1.0]) * width, random.uniform(0.3, 1.0) * height)
  _disc(canvas, center, random.uniform(25, 55), color_of(random, _PEOPLE), 16)


_THINGS = {function.__name__[1:]: function for function in (
    _shelf, _box, _plant, _poster, _patch, _cloth, _lamp, _tree, _bush, _pole, _parasol)}
_OCCLUDERS = (_front_pole, _front_table, _front_leaves, _front_rail, _front_blob)


# --- shapes ---


def _rectangle(canvas, left, top, right, bottom, color):
  _polygon(canvas, [(left, top), (right, top), (right, bottom), (left, bottom)], color)


def _polygon(canvas, points, surface, roundness=0):
  _put(canvas, raster.polygon(points, canvas.size, roundness), surface)


def _disc(canvas, center, radius, color, roundness=0):
  _polygon(canvas, raster.ellipse(center, radius, radius), color, roundness)


def _tube(canvas, path, radii, color):
  _put(canvas, raster.tube(path, radii, canvas.size), color)


def _put(canvas, mask, surface):
  if mask is not None:
    color = surface(mask.x / 45.0, mask.y / 45.0) if callable(surface) else surface
    canvas.paint(mask, color, BACKGROUND)
