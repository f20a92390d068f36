"""What a person looks like and wears: sampled as one record."""
import typing

import numpy as np

from deeplab.datasets.sample_people import textures

_BOTTOMS = ('trousers', 'leggings', 'shorts', 'skirt', 'dress')
_BOTTOM_ODDS = (0.42, 0.08, 0.18, 0.17, 0.15)
_TOPS = ('shirt', 'sweater', 'blouse', 'tank', 'jacket', 'coat')
_TOP_ODDS = (0.34, 0.20, 0.14, 0.10, 0.14, 0.08)
# Odds of (none, short, elbow, long) sleeves per top.
_SLEEVE_ODDS = {
    'shirt': (0.08, 0.55, 0.17, 0.20), 'sweater': (0.0, 0.05, 0.15, 0.80),
    'blouse': (0.25, 0.30, 0.25, 0.20), 'tank': (1.0, 0.0, 0.0, 0.0),
    'jacket': (0.0, 0.0, 0.12, 0.88), 'coat': (0.0, 0.0, 0.0, 1.0),
    'dress': (0.40, 0.30, 0.12, 0.18)}
SLEEVE_LENGTHS = (0.0, 0.34, 0.56, 0.97)
_SHOES = ('sneakers', 'low', 'boots', 'high boots', 'bare')
_SHOE_ODDS = (0.38, 0.24, 0.18, 0.10, 0.10)
HAIRSTYLES = ('short', 'side', 'bob', 'long', 'bun', 'tail', 'curly', 'bald')
_HAIR_ODDS = (0.20, 0.14, 0.14, 0.20, 0.10, 0.08, 0.11, 0.03)
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
  """A person's looks. Sizes in units of body.py.

  Attributes:
    skin: [3] RGB.
    hair: [3] RGB.
    hairstyle: one of HAIRSTYLES.
    hair_length: 0..1 within the style.
    top: one of _TOPS, or 'dress'.
    top_fabric, inner_fabric, sleeve_fabric, bottom_fabric: textures.Fabric.
    neckline: 'round', 'v' or 'collar'.
    hem: height of the lower edge of the top on the torso, see Body.torso.
    ease: slack of the top, units.
    sleeve: length as fraction of the arm; 0: none.
    bottom: one of _BOTTOMS ('dress': bare or stockinged legs).
    bottom_length: length of shorts, skirt or dress as fraction of the leg.
    leg_cut: (knee, ankle) slack of trousers, units.
    flare: widening of skirts, units.
    shoe: one of _SHOES.
    shoe_color, sole_color, sock_color: [3] RGB; sock_color None: no socks.
    hat: 'beanie', 'cap', 'brim' or None.
    hat_fabric: textures.Fabric.
    glasses: 'sun', 'clear' or None.
    bag: 'cross', 'hand', 'backpack' or None.
    bag_fabric: textures.Fabric.
    has_scarf, has_belt: bool.
    phase: [6] random numbers in 0..1 for textures.
  """
  skin: np.ndarray
  hair: np.ndarray
  hairstyle: str
  hair_length: float
  top: str
  top_fabric: textures.Fabric
  inner_fabric: textures.Fabric
  sleeve_fabric: textures.Fabric
  bottom_fabric: textures.Fabric
  neckline: str
  hem: float
  ease: float
  sleeve: float
  bottom: str
  bottom_length: float
  leg_cut: typing.Tuple[float, float]
  flare: float
  shoe: str
  shoe_color: np.ndarray
  sole_color: np.ndarray
  sock_color: typing.Optional[np.ndarray]
  hat: typing.Optional[str]
  hat_fabric: textures.Fabric
  glasses: typing.Optional[str]
  bag: typing.Optional[str]
  bag_fabric: textures.Fabric
  has_scarf: bool
  has_belt: bool
  phase: np.ndarray

  @property
  def is_tucked(self):
    """Whether the top ends inside of the waistband."""
    return self.top != 'dress' and self.hem > 0.18


def sample_outfit(random):
  """Returns a random Outfit."""
  bottom = _pick(random, _BOTTOMS, _BOTTOM_ODDS)
  top = 'dress' if bottom == 'dress' else _pick(random, _TOPS, _TOP_ODDS)
  top_fabric = textures.sample_fabric(random)
  sleeve = SLEEVE_LENGTHS[random.choice(4, p=_SLEEVE_ODDS[top])]
  contrast = textures.sample_fabric(random, plain=True)
  return Outfit(
      skin=_skin(random),
      hair=textures.jitter(random, _row(random, textures.HAIR_COLORS), 0.02),
      hairstyle=_pick(random, HAIRSTYLES, _HAIR_ODDS),
      hair_length=random.uniform(),
      top=top,
      top_fabric=top_fabric,
      inner_fabric=contrast,
      sleeve_fabric=contrast if top in ('shirt', 'sweater') and random.uniform() < 0.2
      else top_fabric,
      bottom_fabric=_bottom_fabric(random, bottom),
      neckline=_pick(random, ('round', 'v', 'collar'), (0.5, 0.25, 0.25)),
      hem=_hem(random, top, bottom),
      ease=_EASE.get(top, _DEFAULT_EASE) + random.uniform(0, 0.05),
      sleeve=sleeve + (random.uniform(-0.05, 0.06) if 0 < sleeve < 0.9 else 0),
      bottom=bottom,
      bottom_length=_bottom_length(random, bottom),
      leg_cut=_LEG_CUTS[random.choice(len(_LEG_CUTS))],
      flare=random.uniform(0.0, 0.5),
      shoe=_pick(random, _SHOES, _SHOE_ODDS),
      shoe_color=textures.jitter(random, _row(random, _LEATHER_COLORS)),
      sole_color=np.array(_LIGHT_SOLE if random.uniform() < 0.5 else _DARK_SOLE),
      sock_color=textures.jitter(random, _row(random, textures.GARMENT_COLORS))
      if random.uniform() < 0.25 else None,
      hat=_pick(random, ('beanie', 'cap', 'brim', None), (0.12, 0.12, 0.12, 0.64)),
      hat_fabric=textures.sample_fabric(random, plain=random.uniform() < 0.7),
      glasses=_pick(random, ('sun', 'clear', None), (0.14, 0.12, 0.74)),
      bag=_pick(random, ('cross', 'hand', 'backpack', None), (0.20, 0.20, 0.16, 0.44)),
      bag_fabric=textures.sample_fabric(random, _LEATHER_COLORS,
                                        plain=random.uniform() < 0.8)._replace(folds=0.03),
      has_scarf=random.uniform() < 0.12,
      has_belt=random.uniform() < 0.35,
      phase=random.uniform(size=6))


def _skin(random):
  """Returns [3] RGB of a skin, a little lighter or darker and of another hue than in the table."""
  return (_row(random, textures.SKIN_COLORS) * random.uniform(0.92, 1.0)
          + random.uniform(-0.015, 0.015, 3))


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


def _pick(random, values, odds):
  return values[random.choice(len(values), p=odds)]


def _row(random, table):
  return table[random.randint(len(table))]
