"""The figure below the clothes: proportions, pose and skeleton.

The unit is the height of an average head; x runs to the right of the picture, y downwards,
the floor is at y = 0. Sides are those of the picture: -1 left, +1 right.
"""
import typing

import numpy as np

from deeplab.datasets.sample_people import raster, textures

# Landmarks in the order of the BODY-18 keypoints of OpenPose; right and left are the person's.
LANDMARKS = (
    'nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder',
    'left_elbow', 'left_wrist', 'right_hip', 'right_knee', 'right_ankle', 'left_hip',
    'left_knee', 'left_ankle', 'right_eye', 'left_eye', 'right_ear', 'left_ear')

_UPPER_ARM, _FOREARM = 1.22, 1.08
_THIGH, _SHANK = 1.58, 1.50
_ANKLE_HEIGHT = 0.2
_TORSO = 2.25
# Where arms can be, and how often.
_ARM_ODDS = {'hang': 0.30, 'swing': 0.14, 'hip': 0.14, 'pocket': 0.08, 'out': 0.10, 'up': 0.05,
             'wave': 0.08, 'belly': 0.07, 'head': 0.04}
# Arms that point somewhere: range of the angle from straight down, and of the share stretched.
_ARM_DIRECTIONS = {'swing': ((-0.15, 0.75), (0.8, 0.97)), 'out': ((0.7, 1.9), (0.7, 0.98)),
                   'up': ((2.3, 2.95), (0.85, 0.98))}


class _Stance(typing.NamedTuple):
  """How often legs stand so, range of the spread of the feet, and of a foot that is lifted."""
  odds: float
  spread: typing.Tuple[float, float]
  lift: typing.Optional[typing.Tuple[float, float]] = None


_STANCES = {
    'stand': _Stance(0.34, (0.8, 1.5)), 'rest': _Stance(0.22, (0.9, 1.7), (0.0, 0.12)),
    'wide': _Stance(0.12, (1.9, 3.0)), 'walk': _Stance(0.14, (0.4, 0.9), (0.25, 0.6)),
    'stride': _Stance(0.14, (2.4, 3.4), (0.1, 0.3)), 'hop': _Stance(0.04, (1.0, 2.2), (0.3, 0.7))}


class Build(typing.NamedTuple):
  """Proportions: factors on the average, and half-widths of the torso in units."""
  legs: float
  girth: float
  head: float
  shoulder: float
  chest: float
  waist: float
  hip: float


class Limb(typing.NamedTuple):
  """An arm or a leg."""
  side: int  # -1 or +1.
  joints: np.ndarray  # [3, 2] shoulder, elbow, wrist or hip, knee, ankle.
  path: np.ndarray  # [n, 2] the joints with the middle one rounded.
  in_front: bool  # Whether it is nearer to the viewer than the torso (arms), or than the other one.

  def _travelled(self):
    steps = np.hypot(*np.diff(self.path, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(steps)])

  def radii(self, knots, values):
    """Returns [n] radii at `path`, given `values` at the fractions `knots` of its length."""
    travelled = self._travelled()
    return np.interp(travelled / max(travelled[-1], 1e-6), knots, values)

  def at(self, fraction):
    """Returns the [2] point at a fraction of the length of the path."""
    travelled = self._travelled()
    return np.array([np.interp(fraction * travelled[-1], travelled, self.path[:, i])
                     for i in range(2)])


class Body(typing.NamedTuple):
  """A posed figure."""
  build: Build
  turn: float  # How far it is turned to a side, -1..1 (sign: the side it looks to).
  is_back: bool  # Whether it shows its back.
  spine: np.ndarray  # [3, 2] pelvis, bend and neck base: control points of the line of the torso.
  tilts: typing.Tuple[float, float]  # (hip line, shoulder line) in radians.
  # arms, legs: pairs of Limb, left of the picture first.
  arms: typing.Tuple[Limb, Limb]
  legs: typing.Tuple[Limb, Limb]
  head_center: np.ndarray  # [2].
  head_tilt: float  # Radians.

  def torso(self, height, across=0.0):
    """Returns the [2] point of the torso at a height: 0 hip joints, 1 neck base.

    Heights a little beyond do too; `across`: offset along the tilted cross line, units.
    """
    t, (first, bend, last) = height, self.spine
    center = (1 - t) ** 2 * first + 2 * t * (1 - t) * bend + t * t * last
    angle = self.tilts[0] + (self.tilts[1] - self.tilts[0]) * np.clip(height, 0, 1)
    return center + across * np.array([np.cos(angle), np.sin(angle)])

  def half_width(self, height):
    """Returns the half-width of the torso at a height, units."""
    knots = (-0.2, 0.0, 0.12, 0.38, 0.68, 0.84, 0.94, 1.0, 1.04)
    _, _, _, shoulder, chest, waist, hip = self.build
    values = (0.9 * hip, hip, 0.97 * hip, waist, chest, 0.5 * (chest + shoulder), shoulder,
              0.55 * shoulder, 0.2)
    return float(np.interp(height, knots, values)) * (1 - 0.18 * abs(self.turn))

  def edge(self, height, side, ease=0.0):
    """Returns the [2] point `ease` units beside the torso at a height; side: -1 or +1."""
    return self.torso(height, side * (self.half_width(height) + ease))

  def landmarks(self):
    """Returns the [18, 2] LANDMARKS in units."""
    right, left = (1, 0) if self.is_back else (0, 1)
    head, tilt = self.build.head, self.head_tilt
    ahead = 0.0 if self.is_back else 0.2 * self.turn
    sign = 1 if self.is_back else -1  # Side of the picture on which the person's right is.

    def on_head(x, y):
      return self.head_center + head * np.array(
          [np.cos(tilt) * x - np.sin(tilt) * y, np.sin(tilt) * x + np.cos(tilt) * y])

    points = [on_head(1.3 * ahead, 0.13), self.torso(1.0)]
    for limbs in (self.arms, self.legs):
      points.extend(limbs[right].joints)
      points.extend(limbs[left].joints)
    points += [on_head(ahead + sign * 0.16, 0.0), on_head(ahead - sign * 0.16, 0.0),
               on_head(sign * 0.38, 0.04), on_head(-sign * 0.38, 0.04)]
    return np.array(points)


def _sample_build(random):
  """Returns a random Build, from slender to heavy and from child-like to tall."""
  girth = np.clip(random.normal(1.08, 0.13), 0.85, 1.4)
  curve = random.uniform()  # 0: shoulders wider than hips .. 1: the other way round.
  return Build(
      legs=random.uniform(0.82, 1.0), girth=girth, head=random.uniform(1.10, 1.28),
      shoulder=(0.92 - 0.15 * curve) * (0.7 + 0.3 * girth),
      chest=(0.66 - 0.09 * curve) * girth,
      waist=(0.54 - 0.09 * curve) * girth ** 1.4,
      hip=(0.56 + 0.07 * curve) * girth)


def sample_body(random):
  """Returns a random Body."""
  build = _sample_build(random)
  turn = np.clip(random.normal(0, 0.45), -1, 1)
  is_back = random.uniform() < 0.06
  stance = textures.pick(random, {name: row.odds for name, row in _STANCES.items()})
  if stance == 'stride' and abs(turn) < 0.5:
    turn = np.sign(turn) * random.uniform(0.5, 1.0) if turn else 0.6
  tilts = (random.normal(0, 0.05), random.normal(0, 0.05))
  legs, pelvis = _pose_legs(random, build, turn, stance, tilts[0])
  lean = random.normal(0, 0.07) + (0.05 * turn if stance == 'stride' else 0)
  neck = pelvis + _TORSO * np.array([np.sin(lean), -np.cos(lean)])
  bend = 0.5 * (pelvis + neck) + np.array([random.normal(0, 0.07), 0])
  body = Body(build, turn, is_back, np.array([pelvis, bend, neck]), tilts, (), legs, neck, 0.0)
  arms = tuple(_pose_arm(random, body, side) for side in (-1, 1))
  head_tilt = random.normal(0, 0.09)
  up = 0.62 * build.head
  center = neck + np.array([np.sin(0.5 * lean + head_tilt) + 0.05 * turn, -1]) * up
  return body._replace(arms=arms, head_center=center, head_tilt=head_tilt)


def _pose_legs(random, build, turn, stance, tilt):
  """Returns the two legs on the floor and the [2] pelvis."""
  length = build.legs * (_THIGH + _SHANK)
  apart = 0.52 * build.hip * (1 - 0.25 * abs(turn))
  spread = {name: random.uniform(*row.spread) for name, row in _STANCES.items()}[stance]
  ahead = int(random.choice([-1, 1]))  # The leg that bears the weight, or is nearer.
  facing = 1 if turn >= 0 else -1
  feet = {}
  for side in (-1, 1):
    is_lifted = side == {'stride': -facing, 'hop': side}.get(stance, -ahead)
    span = _STANCES[stance].lift if is_lifted else None
    lift = random.uniform(*span) if span else 0.0
    forward = 0.25 * side if stance == 'rest' and is_lifted else 0.0
    feet[side] = np.array([side * apart * spread + forward, -_ANKLE_HEIGHT - lift])
  reach = max(apart * (spread - 1), 0)
  height = np.sqrt(max(length ** 2 - reach ** 2, 1)) * (0.9 if stance == 'hop' else 0.992)
  pelvis = np.array([0.12 * ahead if stance == 'rest' else 0.0, -_ANKLE_HEIGHT - height])
  bones = build.legs * _THIGH, build.legs * _SHANK
  # Seen from the front a knee bends towards the viewer, hardly to the side.
  sideways = 0.35 + 0.65 * abs(turn) if stance != 'hop' else 0.8
  legs = []
  for side in (-1, 1):
    hip = pelvis + apart * side * np.array([np.cos(tilt), np.sin(tilt)])
    outward = facing if abs(turn) > 0.45 else side
    joints = _reach(hip, feet[side], bones, outward, sideways)
    legs.append(_limb(side, joints, side == ahead))
  return tuple(legs), pelvis


def _pose_arm(random, body, side):
  pose = textures.pick(random, _ARM_ODDS)
  shoulder = body.torso(0.885, side * (body.half_width(0.92) - 0.15))
  arm = _UPPER_ARM + _FOREARM
  if pose in _ARM_DIRECTIONS:
    angles, reaches = _ARM_DIRECTIONS[pose]
    angle = random.uniform(*angles)
    target = shoulder + arm * random.uniform(*reaches) * np.array(
        [side * np.sin(angle), np.cos(angle)])
  elif pose == 'hang':
    target = shoulder + arm * np.array([side * random.uniform(0.08, 0.28),
                                        random.uniform(0.93, 0.98)])
  elif pose == 'hip':
    target = body.torso(0.18, side * (body.half_width(0.3) + 0.10))
  elif pose == 'pocket':
    target = body.torso(-0.10, side * (body.half_width(0) + 0.02))
  elif pose == 'wave':
    target = shoulder + np.array([side * random.uniform(0.9, 1.4), random.uniform(-0.9, -0.3)])
  elif pose == 'belly':
    target = body.torso(random.uniform(0.3, 0.6), side * random.uniform(-0.25, 0.2))
  else:
    target = body.spine[2] + np.array([side * 0.62 * body.build.head, -0.95 * body.build.head])
  in_front = pose in ('hip', 'belly', 'head', 'pocket') or random.uniform() < 0.6
  return _limb(side, _reach(shoulder, target, (_UPPER_ARM, _FOREARM), side), in_front)


def _limb(side, joints, in_front):
  return Limb(side, joints, raster.round_corners(joints, 0.28), bool(in_front))


def _reach(start, target, bones, outward, sideways=1.0):
  """Returns the [3, 2] joints of a limb with two lengths of `bones` that reaches for `target`.

  The middle joint gives way to the sign `outward` of x; `sideways`: share of its way that is seen.
  """
  first, second = bones
  away = target - start
  distance = max(np.hypot(*away), 1e-6)
  away = away / distance
  distance = np.clip(distance, abs(first - second) + 0.35, 0.999 * (first + second))
  along = (first ** 2 - second ** 2 + distance ** 2) / (2 * distance)
  height = np.sqrt(max(first ** 2 - along ** 2, 0))
  normal = np.array([-away[1], away[0]])
  if normal[0] * outward < 0:
    normal = -normal
  middle = start + along * away + sideways * height * normal
  return np.array([start, middle, start + distance * away])
