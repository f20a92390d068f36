"""Paints the head: face, hair, hats and glasses.

Points are in the head's own frame: origin at its centre, height 1 from crown to chin.
"""
import numpy as np

from deeplab.datasets.sample_people import raster, textures
from deeplab.datasets.sample_people.canvas import HAIR, OTHER, SKIN

_FACE = np.array([(0, -0.5), (0.21, -0.47), (0.335, -0.33), (0.375, -0.1), (0.36, 0.1),
                  (0.31, 0.28), (0.19, 0.44), (0, 0.5)])
_FACE = np.concatenate([_FACE, _FACE[-2:0:-1] * (-1, 1)])
# Upper skull from ear to ear over the crown.
_SKULL = np.array([(-0.40, 0.02), (-0.42, -0.18), (-0.35, -0.42), (-0.19, -0.55), (0, -0.59),
                   (0.19, -0.55), (0.35, -0.42), (0.42, -0.18), (0.40, 0.02)])


class Head(object):
  """The head of a Body, to be painted in layers by a canvas.Painter; skin: its surface."""

  def __init__(self, painter, body, outfit, skin):
    self._pen = painter.within(body.head_center, body.build.head, body.head_tilt)
    self._body, self._outfit, self._skin = body, outfit, skin
    self._ahead = 0.2 * body.turn  # How far the features move to the side it looks to.
    curl = 1.0 if outfit.hairstyle == 'curly' else 0.25 * outfit.hair_length
    self._hair = textures.strands(outfit.hair, outfit.phase, curl)

  def paint_behind(self):
    """Paints the hair that hangs behind neck and shoulders."""
    style, length = self._outfit.hairstyle, self._outfit.hair_length
    if self._body.is_back:
      return
    if style in ('long', 'bob'):
      self._pen.fill(self._curtain(length), self._hair, HAIR, 0.2)
    elif style == 'curly':
      self._pen.fill(self._cloud(), self._hair, HAIR, 0.3)
    elif style == 'tail':
      side = -1 if self._ahead > 0 else 1
      tail = [(0.1 * side, -0.35), (0.42 * side, -0.38), (0.56 * side, -0.05),
              (0.52 * side, 0.35 + 0.4 * length), (0.44 * side, 0.7 + 0.5 * length)]
      self._pen.tube(tail, (0.1, 0.13, 0.15, 0.12, 0.03), self._hair, HAIR)
    elif style == 'bun':
      self._pen.ellipse((-0.4 * self._ahead, -0.62), 0.23, 0.21, self._hair, HAIR, 0.2)

  def paint(self):
    """Paints face, hair in front, hat and glasses."""
    if self._body.is_back:
      self._paint_back()
    else:
      self._paint_face()
      self._paint_front_hair()
      self._paint_glasses()
    self._paint_hat()

  # --- face ---

  def _paint_face(self):
    outfit, skin = self._outfit, self._skin
    for side in (-1, 1):
      visible = 1 - 0.8 * max(side * self._body.turn, 0)
      self._pen.ellipse((side * 0.37 - 0.3 * self._ahead, 0.05), 0.075 * visible, 0.11, skin, SKIN,
                        0.06)
    self._pen.fill(_FACE, skin, SKIN, 0.34, shadow=0.5)
    x = self._ahead
    for side in (-1, 1):
      self._pen.ellipse((x + side * 0.2, 0.19), 0.075, 0.05, (0.85, 0.35, 0.3), None, opacity=0.16)
      self._paint_eye(x + side * 0.155 * (1 - 0.1 * abs(self._body.turn)), side)
    tip = np.array((1.45 * x, 0.145))
    nose = [(x * 1.1, 0.0), tip + (0.02 + 0.05 * x, -0.03), tip]
    self._pen.tube(nose, (0.012, 0.028, 0.03), outfit.skin * 0.72, None, opacity=0.45)
    self._pen.ellipse(tip + (0, -0.01), 0.05, 0.035, np.minimum(outfit.skin * 1.06, 1), None, 0.04,
                      opacity=0.7)
    self._paint_mouth(1.15 * x)

  def _paint_eye(self, x, side):
    phase = self._outfit.phase
    iris = np.array([(0.25, 0.15, 0.08), (0.22, 0.38, 0.55), (0.25, 0.42, 0.28),
                     (0.12, 0.08, 0.06)][int(phase[5] * 4)])
    self._pen.ellipse((x, 0.02), 0.072, 0.042, (0.97, 0.96, 0.95), None)
    look = x + 0.02 * self._body.turn
    self._pen.ellipse((look, 0.02), 0.036, 0.038, iris, None)
    self._pen.ellipse((look, 0.02), 0.017, 0.018, (0.03, 0.03, 0.03), None)
    lid = [(x - 0.078, 0.02), (x, -0.03), (x + 0.078, 0.02)]
    self._line(lid, 0.016, (0.12, 0.08, 0.07), 0.85)
    brow = [(x - 0.09, -0.09 - 0.012 * side), (x, -0.12), (x + 0.09, -0.09 + 0.012 * side)]
    self._line(brow, 0.021, self._outfit.hair * 0.7 + 0.02, 0.8)

  def _paint_mouth(self, x):
    smile = 0.035 * self._outfit.phase[4]
    lips = 0.55 * self._outfit.skin * (1.0, 0.62, 0.6) + np.array((0.28, 0.08, 0.09))
    self._pen.ellipse((x, 0.30), 0.085, 0.032, lips, None, 0.04, opacity=0.85)
    self._line([(x - 0.11, 0.29 - smile), (x, 0.297), (x + 0.11, 0.29 - smile)], 0.012,
               lips * 0.5, 0.9)

  # --- hair ---

  def _paint_front_hair(self):
    outfit = self._outfit
    style, length = outfit.hairstyle, outfit.hair_length
    if style == 'bald':
      return
    if style == 'curly':
      self._pen.fill(self._curly_cap(), self._hair, HAIR, 0.16, shadow=0.4)
      return
    lift = {'short': 0.03 + 0.05 * length, 'side': 0.07, 'long': 0.03, 'bob': 0.05}.get(style, 0)
    outer = _SKULL * (1.0 + 0.5 * lift, 1.0 + 1.2 * lift)
    fringe = -0.34 + 0.20 * outfit.phase[3] * (style in ('short', 'bob', 'long'))
    part = (0.16 + 0.06 * outfit.phase[0]) * (-1 if outfit.phase[1] < 0.5 else 1) + self._ahead
    if style == 'side':
      inner = [(0.345, -0.04), (0.31, -0.20), (abs(part), -0.36), (0.4 * abs(part), -0.26),
               (-0.26, -0.17), (-0.345, -0.04)]
      if part < 0:
        inner = [(-x, y) for x, y in inner[::-1]]
    else:
      inner = [(0.345, 0.0), (0.315, -0.18), (0.22, fringe), (self._ahead, fringe - 0.05),
               (-0.22, fringe), (-0.315, -0.18), (-0.345, 0.0)]
    self._pen.fill(np.concatenate([outer, inner]), self._hair, HAIR, 0.2, shadow=0.35)
    if style in ('long', 'bob'):
      self._paint_locks(style, length)
    shine = np.minimum(outfit.hair * 1.5 + 0.1, 1)
    self._line([(-0.22, -0.42), (0, -0.49), (0.22, -0.42)], 0.035, shine, 0.28)

  def _paint_locks(self, style, length):
    end = 0.42 if style == 'bob' else 0.7 + 0.8 * length
    for side in (-1, 1):
      if style == 'long' and self._outfit.phase[2] < 0.35:
        end = 0.45  # The rest hangs behind the shoulder.
      lock = raster.smooth(
          [(side * 0.33, -0.25), (side * 0.405, 0.0), (side * 0.42, 0.5 * end),
           (side * (0.40 + 0.05 * self._outfit.phase[0]), end)], closed=False, steps=3)
      radii = np.interp(np.linspace(0, 1, len(lock)), (0, 0.3, 0.8, 1), (0.06, 0.095, 0.11, 0.03))
      self._pen.tube(lock, radii, self._hair, HAIR, shadow=0.3)

  def _curtain(self, length):
    end = 0.48 if self._outfit.hairstyle == 'bob' else 0.75 + 0.9 * length
    wide = 0.50 + 0.06 * self._outfit.phase[0]
    return np.array([(0, -0.6), (0.3, -0.5), (0.44, -0.15), (wide, 0.5 * end),
                     (wide - 0.03, 0.92 * end), (0.25, end), (0, end - 0.03), (-0.25, end),
                     (-wide + 0.03, 0.92 * end), (-wide, 0.5 * end), (-0.44, -0.15),
                     (-0.3, -0.5)])

  def _cloud(self):
    turn = np.arange(40) * (2 * np.pi / 40)
    bumps = 1 + 0.035 * np.sin(9 * turn + 6 * self._outfit.phase[0]) + 0.03 * np.sin(
        17 * turn + 6 * self._outfit.phase[1])
    size = (0.50 + 0.18 * self._outfit.hair_length) * bumps
    return np.stack([size * np.cos(turn), -0.14 + 1.02 * size * np.sin(turn)], axis=1)

  def _curly_cap(self):
    cloud = self._cloud()
    upper = cloud[cloud[:, 1] < -0.06]
    # From the left ear over the crown to the right ear.
    turn = np.arctan2(upper[:, 1] + 0.14, upper[:, 0])
    upper = upper[np.argsort(np.where(turn > np.pi / 2, turn - 2 * np.pi, turn))]
    inner = [(0.35, 0.02), (0.32, -0.15), (0.2, -0.27), (0.05 + self._ahead, -0.24),
             (-0.1, -0.28), (-0.3, -0.16), (-0.35, 0.02)]
    return np.concatenate([upper, inner])

  def _paint_back(self):
    """Paints the head from behind: hair all over."""
    outfit = self._outfit
    for side in (-1, 1):
      self._pen.ellipse((side * 0.37, 0.05), 0.06, 0.1, self._skin, SKIN, 0.06)
    self._pen.fill(_FACE * (1, 0.96), self._skin, SKIN, 0.34)
    if outfit.hairstyle == 'bald':
      return
    if outfit.hairstyle in ('long', 'bob'):
      self._pen.fill(self._curtain(outfit.hair_length), self._hair, HAIR, 0.3, shadow=0.4)
    elif outfit.hairstyle == 'curly':
      self._pen.fill(self._cloud(), self._hair, HAIR, 0.3, shadow=0.4)
    else:
      nape = [(0.36, 0.2), (0.22, 0.36), (0, 0.38), (-0.22, 0.36), (-0.36, 0.2)]
      self._pen.fill(np.concatenate([_SKULL, nape]), self._hair, HAIR, 0.3, shadow=0.3)
      if outfit.hairstyle == 'bun':
        self._pen.ellipse((0, -0.42), 0.23, 0.21, self._hair, HAIR, 0.2, shadow=0.4)
      elif outfit.hairstyle == 'tail':
        tail = [(0, -0.2), (0.02, 0.1), (-0.03, 0.5), (0.0, 0.9)]
        self._pen.tube(tail, (0.11, 0.13, 0.12, 0.03), self._hair, HAIR)

  # --- things worn on the head ---

  def _paint_hat(self):
    outfit = self._outfit
    if outfit.hat is None:
      return
    fabric = outfit.hat_fabric._replace(period=0.6 * outfit.hat_fabric.period)
    big = 1.1 if outfit.hairstyle == 'curly' else 1.0
    crown = np.array([(-0.44, -0.20), (-0.46, -0.38), (-0.36, -0.60), (-0.15, -0.71), (0, -0.73),
                      (0.15, -0.71), (0.36, -0.60), (0.46, -0.38), (0.44, -0.20)]) * big
    edge = [(0.2, -0.17), (0, -0.16), (-0.2, -0.17)]
    if outfit.hat == 'brim':
      brim = raster.ellipse((0, -0.24), 0.86, 0.17)
      self._pen.fill(brim, fabric.color * 0.9, OTHER, 0.1, shadow=0.6)
      self._pen.fill(np.concatenate([crown * (0.95, 1.05), [(0.2, -0.24), (-0.2, -0.24)]]), fabric,
                     OTHER, 0.25)
      self._line([(-0.42, -0.27), (0, -0.23), (0.42, -0.27)], 0.045, fabric.second, 0.9)
      return
    self._pen.fill(np.concatenate([crown, edge]), fabric, OTHER, 0.25, shadow=0.4)
    if outfit.hat == 'beanie':
      self._line([(-0.43, -0.26), (0, -0.225), (0.43, -0.26)], 0.075, fabric.color * 0.8, 1.0,
                 OTHER)
      if outfit.phase[0] < 0.5:
        self._pen.ellipse((0, -0.78), 0.13, 0.12, np.minimum(fabric.second, 1), OTHER, 0.1)
    elif not self._body.is_back:
      side = 1 if self._ahead >= 0 else -1
      reach = 0.28 + 1.2 * abs(self._ahead)
      visor = [(-0.40 * side, -0.24), (0, -0.30), (0.42 * side, -0.26),
               ((0.42 + 0.5 * (reach - 0.28)) * side, -0.13), (1.6 * self._ahead, -0.06),
               (-0.36 * side, -0.14)]
      self._pen.fill(visor, fabric.color * 0.8, OTHER, 0.08, shadow=0.5)

  def _paint_glasses(self):
    if self._outfit.glasses is None:
      return
    is_dark = self._outfit.glasses == 'sun'
    frame = (0.07, 0.06, 0.07) if self._outfit.phase[2] < 0.7 else (0.5, 0.22, 0.12)
    lens = (0.12, 0.12, 0.16) if is_dark else (0.75, 0.85, 0.92)
    x = self._ahead
    self._line([(x - 0.36 - 0.5 * x, -0.01), (x, 0.0), (x + 0.36 - 0.5 * x, -0.01)], 0.022, frame,
               1.0, OTHER)
    for side in (-1, 1):
      center = (x + side * 0.165, 0.035)
      size = 0.145 if is_dark else 0.135
      inner = size - 0.03, 0.82 * size - 0.03
      self._pen.ellipse(center, size, 0.82 * size, frame, OTHER)
      self._pen.ellipse(center, *inner, lens, OTHER, opacity=1.0 if is_dark else 0.30)
      if not is_dark:
        self._pen.ellipse(center, *inner, self._outfit.skin, None, opacity=0.8)
        self._paint_eye(center[0], side)
      self._line([(center[0] - 0.05, 0.0), (center[0] + 0.02, -0.02)], 0.014, (0.95, 0.97, 1),
                 0.5)

  def _line(self, points, radius, color, opacity, label=None):
    self._pen.tube(raster.smooth(points, closed=False, steps=4), radius, color, label,
                   opacity=opacity)
