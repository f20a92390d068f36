"""What a person looks like and wears, sampled as one record, and painted back to front."""
import typing

import numpy as np

from deeplab.datasets.sample_people import garments, raster, textures
from deeplab.datasets.sample_people.canvas import GARMENT, OTHER
from deeplab.datasets.sample_people.head import Head

# Odds of what is worn.
_BOTTOMS = {'trousers': 0.42, 'leggings': 0.08, 'shorts': 0.18, 'skirt': 0.17, 'dress': 0.15}
_TOPS = {'shirt': 0.34, 'sweater': 0.20, 'blouse': 0.14, 'tank': 0.10, 'jacket': 0.14, 'coat': 0.08}
# Lengths of sleeves as fractions of the arm: none, short, elbow, long; and their odds per top.
_SLEEVE_LENGTHS = (0.0, 0.34, 0.56, 0.97)
_SLEEVE_ODDS = {
    'shirt': (0.08, 0.55, 0.17, 0.20), 'sweater': (0.0, 0.05, 0.15, 0.80),
    'blouse': (0.25, 0.30, 0.25, 0.20), 'tank': (1.0, 0.0, 0.0, 0.0),
    'jacket': (0.0, 0.0, 0.12, 0.88), 'coat': (0.0, 0.0, 0.0, 1.0),
    'dress': (0.40, 0.30, 0.12, 0.18)}
_SHOES = {'sneakers': 0.38, 'low': 0.24, 'boots': 0.18, 'high boots': 0.10, 'bare': 0.10}
HAIRSTYLES = {'short': 0.20, 'side': 0.14, 'bob': 0.14, 'long': 0.20, 'bun': 0.10, 'tail': 0.08,
              'curly': 0.11, 'bald': 0.03}
# Slack of tops, units.
_EASE = {'tank': 0.02, 'blouse': 0.05, 'shirt': 0.05, 'dress': 0.03}
_DEFAULT_EASE = 0.09
# Slack of trousers at knee and ankle: slim, straight, wide, flared, tapered.
_LEG_CUTS = ((0.03, 0.03), (0.06, 0.10), (0.10, 0.20), (0.03, 0.18), (0.08, 0.03))
_LIGHT_SOLE, _DARK_SOLE = (0.93, 0.92, 0.9), (0.22, 0.18, 0.16)
_LEATHER_COLORS = np.array([
    (0.45, 0.27, 0.16), (0.14, 0.12, 0.12), (0.66, 0.45, 0.28), (0.60, 0.14, 0.16),
    (0.88, 0.86, 0.82), (0.20, 0.24, 0.38), (0.30, 0.33, 0.30), (0.85, 0.62, 0.20)])


class Outfit(typing.NamedTuple):
  """A person's looks. Sizes in units of body.py."""
  skin: np.ndarray  # [3] RGB.
  hair: np.ndarray  # [3] RGB.
  hairstyle: str  # Key of HAIRSTYLES.
  hair_length: float  # 0..1 within the style.
  top: str  # Key of _TOPS, or 'dress'.
  top_fabric: textures.Fabric
  inner_fabric: textures.Fabric
  sleeve_fabric: textures.Fabric
  bottom_fabric: textures.Fabric
  neckline: str  # 'round', 'v' or 'collar'.
  hem: float  # Height of the lower edge of the top on the torso, see Body.torso.
  ease: float  # Slack of the top, units.
  sleeve: float  # Length as fraction of the arm; 0: none.
  bottom: str  # Key of _BOTTOMS ('dress': bare or stockinged legs).
  bottom_length: float  # Length of shorts, skirt or dress as fraction of the leg.
  leg_cut: typing.Tuple[float, float]  # (knee, ankle) slack of trousers, units.
  flare: float  # Widening of skirts, units.
  shoe: str  # Key of _SHOES.
  # shoe_color, sole_color, sock_color: [3] RGB; sock_color None: no socks.
  shoe_color: np.ndarray
  sole_color: np.ndarray
  sock_color: typing.Optional[np.ndarray]
  hat: typing.Optional[str]  # 'beanie', 'cap', 'brim' or None.
  hat_fabric: textures.Fabric
  glasses: typing.Optional[str]  # 'sun', 'clear' or None.
  bag: typing.Optional[str]  # 'cross', 'hand', 'backpack' or None.
  bag_fabric: textures.Fabric
  has_scarf: bool
  has_belt: bool
  phase: np.ndarray  # [6] random numbers in 0..1 for textures.

  @property
  def is_tucked(self):
    """Whether the top ends inside of the waistband."""
    return self.top != 'dress' and self.hem > 0.18


def sample_outfit(random):
  """Returns a random Outfit."""
  bottom = textures.pick(random, _BOTTOMS)
  top = 'dress' if bottom == 'dress' else textures.pick(random, _TOPS)
  top_fabric = textures.sample_fabric(random)
  sleeve = _SLEEVE_LENGTHS[random.choice(4, p=_SLEEVE_ODDS[top])]
  contrast = textures.sample_fabric(random, plain=True)
  skins = textures.SKIN_COLORS
  return Outfit(
      # A little lighter or darker and of another hue than in the table.
      skin=skins[random.randint(len(skins))] * random.uniform(0.92, 1.0)
      + random.uniform(-0.015, 0.015, 3),
      hair=textures.color_of(random, textures.HAIR_COLORS, 0.02),
      hairstyle=textures.pick(random, HAIRSTYLES),
      hair_length=random.uniform(),
      top=top,
      top_fabric=top_fabric,
      inner_fabric=contrast,
      sleeve_fabric=contrast if top in ('shirt', 'sweater') and random.uniform() < 0.2
      else top_fabric,
      bottom_fabric=_bottom_fabric(random, bottom),
      neckline=textures.pick(random, {'round': 0.5, 'v': 0.25, 'collar': 0.25}),
      hem=_hem(random, top, bottom),
      ease=_EASE.get(top, _DEFAULT_EASE) + random.uniform(0, 0.05),
      sleeve=sleeve + (random.uniform(-0.05, 0.06) if 0 < sleeve < 0.9 else 0),
      bottom=bottom,
      bottom_length=_bottom_length(random, bottom),
      leg_cut=_LEG_CUTS[random.choice(len(_LEG_CUTS))],
      flare=random.uniform(0.0, 0.5),
      shoe=textures.pick(random, _SHOES),
      shoe_color=textures.color_of(random, _LEATHER_COLORS),
      sole_color=np.array(_LIGHT_SOLE if random.uniform() < 0.5 else _DARK_SOLE),
      sock_color=textures.color_of(random, textures.GARMENT_COLORS)
      if random.uniform() < 0.25 else None,
      hat=textures.pick(random, {'beanie': 0.12, 'cap': 0.12, 'brim': 0.12, None: 0.64}),
      hat_fabric=textures.sample_fabric(random, plain=random.uniform() < 0.7),
      glasses=textures.pick(random, {'sun': 0.14, 'clear': 0.12, None: 0.74}),
      bag=textures.pick(random, {'cross': 0.20, 'hand': 0.20, 'backpack': 0.16, None: 0.44}),
      bag_fabric=textures.sample_fabric(random, _LEATHER_COLORS,
                                        plain=random.uniform() < 0.8)._replace(folds=0.03),
      has_scarf=random.uniform() < 0.12,
      has_belt=random.uniform() < 0.35,
      phase=random.uniform(size=6))


def _bottom_fabric(random, bottom):
  if bottom in ('trousers', 'shorts') and random.uniform() < 0.4:
    return textures.sample_fabric(random, textures.DENIM_COLORS, plain=True)
  plain = random.uniform() < (0.7 if bottom in ('trousers', 'leggings') else 0.35)
  return textures.sample_fabric(random, plain=plain)


def _hem(random, top, bottom):
  """Returns where the top ends: tucked in above the hip joints, or over the hips."""
  if top == 'dress':
    return 0.30
  if top == 'coat':
    return -0.18
  if bottom == 'skirt' and random.uniform() < 0.7:
    return random.uniform(0.20, 0.28)
  return random.uniform(0.20, 0.28) if random.uniform() < 0.3 else random.uniform(-0.08, 0.12)


def _bottom_length(random, bottom):
  return {'shorts': random.uniform(0.26, 0.48), 'skirt': random.uniform(0.26, 0.72),
          'dress': random.uniform(0.28, 0.75)}.get(bottom, random.uniform(0.93, 0.985))


def paint_person(painter, body, outfit):
  """Paints `body` dressed in `outfit`; image and labels."""
  skin = textures.skin(outfit.skin, outfit.phase)
  head = Head(painter, body, outfit, skin)
  legs = sorted(body.legs, key=lambda leg: leg.in_front)
  _paint_ground_shadow(painter, body)
  if outfit.bag == 'backpack' and not body.is_back:
    _paint_pack(painter, body, outfit)
  head.paint_behind()
  for arm in body.arms:
    if not arm.in_front:
      garments.paint_arm(painter, body, outfit, arm, skin)
      _paint_held_bag(painter, outfit, arm)
  for leg in legs:
    garments.paint_leg(painter, body, outfit, leg, skin)
  garments.paint_trunk(painter, body, skin)
  if outfit.is_tucked:
    garments.paint_top(painter, body, outfit)
  garments.paint_bottom(painter, body, outfit, legs)
  if not outfit.is_tucked:
    garments.paint_top(painter, body, outfit)
  if outfit.bag in ('cross', 'backpack'):
    _paint_straps(painter, body, outfit)
  if outfit.has_scarf:
    _paint_scarf(painter, body, outfit)
  if body.is_back and outfit.bag == 'backpack':
    _paint_pack(painter, body, outfit)
  head.paint()
  for arm in body.arms:
    if arm.in_front:
      garments.paint_arm(painter, body, outfit, arm, skin)
      _paint_held_bag(painter, outfit, arm)


def _paint_ground_shadow(painter, body):
  feet = np.array([leg.joints[2] for leg in body.legs])
  half = np.ptp(feet[:, 0]) / 2 + 0.7
  center = (feet[:, 0].mean() - 0.3 * painter.canvas.light.direction[0], 0.02)
  mask = raster.polygon(painter.to_pixels(raster.ellipse(center, half, 0.17)),
                        painter.canvas.size, 0)
  painter.canvas.cast_shadow(mask, (0, 0), 0.1 * painter.unit, 0.5, on_figure=False)


def _bag_side(outfit):
  return 1 if outfit.phase[1] < 0.5 else -1


def _paint_held_bag(painter, outfit, arm):
  """Paints a handbag or shopping bag below the hand that hangs on the bag's side."""
  hand = arm.joints[2] + 0.25 * (arm.joints[2] - arm.joints[1]) / 1.08
  hangs = arm.joints[2][1] > arm.joints[0][1] + 0.9
  if outfit.bag != 'hand' or arm.side != _bag_side(outfit) or not hangs:
    return
  half, tall = 0.36 + 0.12 * outfit.phase[2], 0.55 + 0.3 * outfit.phase[3]
  top = hand + (0, 0.42)
  handle = raster.curve(top + (-0.55 * half, 0.05), hand + (-0.1, 0.02), hand + (0.1, 0.02),
                        top + (0.55 * half, 0.05))
  painter.tube(handle, 0.035, outfit.bag_fabric.color * 0.8, OTHER)
  flare = 0.08 * (1 if outfit.phase[4] < 0.5 else -1)
  outline = np.array([top + (-half - flare, 0), top + (half + flare, 0), top + (half, tall),
                      top + (-half, tall)])
  _paint_bag(painter, outline, outfit, 0.4)


def _paint_bag(painter, outline, outfit, flap):
  """Paints a bag of four corners, clockwise from the upper left, with a flap."""
  fabric = outfit.bag_fabric
  painter.fill(_rounded(outline), fabric, OTHER, 0.14, curved=False, shadow=0.4)
  a, b, c, d = outline
  upper = np.array([a, b, b + flap * (c - b), a + flap * (d - a)])
  painter.fill(_rounded(upper), fabric.color * 0.85, OTHER, 0.1, curved=False, shadow=0.3)
  painter.ellipse(upper[2:].mean(axis=0) - (0, 0.04), 0.05, 0.04, (0.85, 0.72, 0.4), OTHER,
                  roundness=0.05)


def _rounded(corners):
  middle = [0.5 * (corners[-1] + corners[0])]
  return raster.round_corners(np.concatenate([middle, corners, middle]), 0.16)


def _paint_straps(painter, body, outfit):
  if outfit.bag == 'backpack':
    for side in (-1, 1):
      strap = raster.curve(body.torso(1.0, side * 0.38), body.torso(0.9, side * 0.48),
                           body.torso(0.65, side * 0.5), body.edge(0.45, side, 0.02))
      painter.tube(strap, 0.085, outfit.bag_fabric, OTHER, shadow=0.4)
    return
  side = _bag_side(outfit)
  strap = raster.curve(body.torso(0.99, -side * 0.42), body.torso(0.7, -side * 0.12),
                       body.torso(0.15, side * (body.half_width(0.1) + 0.1)))
  painter.tube(strap, 0.05, outfit.bag_fabric.color * 0.8, OTHER, shadow=0.4)
  center = body.torso(-0.08, side * (body.half_width(0) + 0.1))
  half, tall = 0.36 + 0.1 * outfit.phase[2], 0.30 + 0.08 * outfit.phase[3]
  _paint_bag(painter, center + np.array([(-half, -tall), (half, -tall), (half, tall),
                                         (-half, tall)]), outfit, 0.55)


def _paint_pack(painter, body, outfit):
  half = body.half_width(0.9) * (0.86 if body.is_back else 1.02) + 0.06
  outline = np.array([body.torso(0.98, -half), body.torso(0.98, half),
                      body.torso(0.2, half + 0.03), body.torso(0.2, -half - 0.03)])
  _paint_bag(painter, outline, outfit, 0.4)


def _paint_scarf(painter, body, outfit):
  fabric = outfit.inner_fabric
  side = _bag_side(outfit)
  if not body.is_back:
    end = raster.curve(body.torso(0.98, side * 0.12), body.torso(0.75, side * 0.2),
                       body.torso(0.5, side * 0.22))
    painter.tube(end, 0.13, fabric, GARMENT, (0, 0.98), shadow=0.4)
  loop = raster.curve(*[body.torso(t, across) for t, across in (
      (1.04, -0.30), (0.97, -0.2), (0.94, 0), (0.97, 0.2), (1.04, 0.30))])
  painter.tube(loop, 0.14, fabric, GARMENT, shadow=0.4)
