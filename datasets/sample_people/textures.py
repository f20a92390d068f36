"""Surfaces: fabrics with patterns and folds, skin, hair, and noise of many octaves.

A surface is a function (x, y) -> [..., 3] RGB in 0..1 of pattern coordinates in the units of
its owner (head heights for people, pixels for backgrounds).
"""
import typing

import numpy as np

GARMENT_COLORS = np.array([
    (0.16, 0.20, 0.33), (0.70, 0.16, 0.18), (0.92, 0.90, 0.86), (0.12, 0.12, 0.14),
    (0.26, 0.42, 0.62), (0.87, 0.68, 0.24), (0.25, 0.45, 0.34), (0.55, 0.33, 0.48),
    (0.89, 0.55, 0.45), (0.50, 0.52, 0.55), (0.76, 0.68, 0.56), (0.38, 0.27, 0.22),
    (0.44, 0.66, 0.72), (0.83, 0.45, 0.62), (0.33, 0.36, 0.20), (0.88, 0.42, 0.18),
    (0.62, 0.75, 0.55), (0.36, 0.27, 0.55), (0.97, 0.84, 0.80), (0.15, 0.42, 0.45)])
DENIM_COLORS = np.array([(0.20, 0.28, 0.44), (0.33, 0.44, 0.60), (0.14, 0.17, 0.26),
                         (0.52, 0.62, 0.74)])
SKIN_COLORS = np.array([
    (0.98, 0.84, 0.75), (0.95, 0.79, 0.67), (0.91, 0.72, 0.58), (0.86, 0.65, 0.49),
    (0.78, 0.56, 0.40), (0.66, 0.45, 0.32), (0.54, 0.36, 0.25), (0.42, 0.27, 0.19),
    (0.33, 0.21, 0.15)])
HAIR_COLORS = np.array([
    (0.10, 0.08, 0.08), (0.17, 0.12, 0.10), (0.28, 0.18, 0.12), (0.40, 0.25, 0.14),
    (0.55, 0.36, 0.18), (0.76, 0.58, 0.32), (0.88, 0.75, 0.50), (0.58, 0.22, 0.12),
    (0.62, 0.62, 0.64), (0.85, 0.84, 0.82)])
# Patterns of fabrics and how often each is worn.
_PATTERN_ODDS = {'plain': 0.40, 'stripes': 0.13, 'bars': 0.08, 'checks': 0.12, 'dots': 0.09,
                 'gradient': 0.06, 'mottled': 0.06, 'diagonal': 0.06}


class Fabric(typing.NamedTuple):
  """What a garment is made of."""
  # color, second: [3] RGB in 0..1.
  color: np.ndarray
  second: np.ndarray
  pattern: str  # Key of _WEIGHTS.
  period: float  # Size of the pattern, head heights.
  phase: np.ndarray  # [6] random numbers in 0..1 that place pattern and folds.
  folds: float  # Strength of the folds, 0..0.2.

  def __call__(self, x, y):
    weight = _WEIGHTS[self.pattern](x / self.period, y / self.period, self.phase)
    color = self.color + weight[..., np.newaxis] * (self.second - self.color)
    return color * (1 + self.folds * ripples(x, y, self.phase))[..., np.newaxis]


def sample_fabric(random, colors=GARMENT_COLORS, plain=False):
  """Returns a random Fabric in a jittered colour of `colors`."""
  first, second = random.permutation(len(colors))[:2] if len(colors) > 1 else (0, 0)
  pattern = 'plain' if plain else pick(random, _PATTERN_ODDS)
  color, other = jitter(random, colors[first]), jitter(random, colors[second])
  if np.abs(color - other).max() < 0.25:  # A pattern must be seen.
    other = other + 0.4 if color.mean() < 0.5 else other * 0.4
  return Fabric(color, np.clip(other, 0, 1), pattern, random.uniform(0.16, 0.42),
                random.uniform(size=6), random.uniform(0.05, 0.14))


def pick(random, odds):
  """Returns a random key of a dict of probabilities, which add up to 1."""
  return list(odds)[random.choice(len(odds), p=list(odds.values()))]


def color_of(random, table, amount=0.05):
  """Returns a random row of a table of colours, [n, 3], as `jitter` varies it."""
  return jitter(random, table[random.randint(len(table))], amount)


def jitter(random, color, amount=0.05):
  """Returns `color` varied in brightness and a little in hue."""
  varied = np.asarray(color) * random.uniform(0.85, 1.15) + random.uniform(-amount, amount, 3)
  return np.clip(varied, 0.02, 0.98)


def skin(color, phase):
  """Returns the surface of skin of a colour, slightly uneven."""
  def surface(x, y):
    tone = ripples(0.6 * x, 0.6 * y, phase)[..., np.newaxis]
    return color * (1 + tone * np.array([0.015, 0.035, 0.045]))
  return surface


def strands(color, phase, curl):
  """Returns the surface of hair; curl: 0 straight .. 1 frizzy."""
  def surface(x, y):
    sway = x + (0.02 + 0.05 * curl) * np.sin((5 + 18 * curl) * y + 6.3 * phase[0])
    streaks = (np.sin(47 * sway + 6.3 * phase[1]) + 0.7 * np.sin(83 * sway + 6.3 * phase[2])
               + 0.8 * np.sin(19 * sway + 6.3 * phase[3]))
    if curl > 0.5:
      streaks = 1.7 * (ripples(7 * x, 7 * y, phase) + ripples(-4 * y, 5 * x, phase[::-1]))
    streaks = streaks[..., np.newaxis]
    return color * (1 + (0.12 - 0.07 * color.mean()) * streaks) + 0.012 * streaks
  return surface


def ripples(x, y, phase):
  """Returns smooth noise of about -1..1 with a wavelength of about one unit: folds."""
  turns = 6.2832 * phase
  bend = np.sin(2.1 * x + 1.3 * y + turns[0])
  return (0.5 * np.sin(4.3 * x + 1.7 * y + 1.3 * bend + turns[1])
          + 0.35 * np.sin(-3.1 * x + 6.1 * y + 1.7 * bend + turns[2])
          + 0.25 * np.sin(11.0 * x + 3.7 * y + 2.0 * bend + turns[3]))


def noise(random, size, wavelength, octaves=4, gain=0.55, stretch=(1.0, 1.0)):
  """Returns smooth noise of a (height, width) in pixels, mean about 0, mostly within -1..1.

  Args:
    wavelength: of the slowest octave, pixels.
    octaves: number of wavelengths, each half the one before.
    gain: amplitude of an octave over that of the one before.
    stretch: factors on the (vertical, horizontal) wavelength.
  """
  total, amplitude = np.zeros(size), 1.0
  for octave in range(octaves):
    step = wavelength / 2.0 ** octave
    total += amplitude * _lattice(random, size, max(step * stretch[0], 1.0),
                                  max(step * stretch[1], 1.0))
    amplitude *= gain
  return total


def _lattice(random, size, step_y, step_x):
  rows, columns = int(size[0] / step_y) + 3, int(size[1] / step_x) + 3
  grid = random.uniform(-1, 1, (rows, columns))
  y = np.arange(size[0]) / step_y + random.uniform()
  x = np.arange(size[1]) / step_x + random.uniform()
  i, j = y.astype(np.int64), x.astype(np.int64)
  v, u = (y - i)[:, np.newaxis], x - j
  v, u = v * v * (3 - 2 * v), u * u * (3 - 2 * u)
  lines = grid[i] * (1 - v) + grid[i + 1] * v
  return lines[:, j] * (1 - u) + lines[:, j + 1] * u


def _step_wave(t, duty):
  """Returns a soft-edged 0/1 wave of period 1: 1 for `duty` of every period."""
  offset = np.abs(t - np.floor(t) - 0.5)
  return np.clip((duty / 2 - offset) / 0.08 + 0.5, 0, 1)


def _dots(x, y, phase):
  x = x + 0.5 * (np.floor(y) % 2)
  away = np.hypot(x - np.floor(x) - 0.5, y - np.floor(y) - 0.5)
  return np.clip((0.24 + 0.1 * phase[4] - away) / 0.1 + 0.5, 0, 1)


def _mottled(x, y, phase):
  return np.clip(0.5 + 1.5 * (ripples(0.5 * x, 0.5 * y, phase)
                              + 0.5 * ripples(1.3 * x, 1.3 * y, phase[::-1])), 0, 1)


# Pattern -> function of (x, y) in periods, and of the phase: weight of the second colour.
_WEIGHTS = {
    'plain': lambda x, y, phase: np.zeros(x.shape),
    'stripes': lambda x, y, phase: _step_wave(y + phase[4], 0.3 + 0.3 * phase[5]),
    'bars': lambda x, y, phase: _step_wave(x + phase[4], 0.25 + 0.3 * phase[5]),
    'checks': lambda x, y, phase: 0.5 * (
        _step_wave(y + phase[4], 0.4) + _step_wave(x + phase[5], 0.4)),
    'dots': _dots,
    'gradient': lambda x, y, phase: 0.5 + 0.5 * np.sin(0.6 * y + 6.3 * phase[4]),
    'mottled': _mottled,
    'diagonal': lambda x, y, phase: _step_wave(0.7 * x + 0.7 * y + phase[4], 0.35),
}
