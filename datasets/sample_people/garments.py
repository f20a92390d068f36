"""Paints limbs, trousers, skirts, tops and shoes of a figure."""
import numpy as np

from deeplab.datasets.sample_people import raster
from deeplab.datasets.sample_people.canvas import ARMS, GARMENT, PANTS, SHOE, SKIN, SLEEVES

_ARM_KNOTS = (0, 0.12, 0.3, 0.5, 0.56, 0.66, 0.9, 1)
_ARM_RADII = np.array((0.14, 0.175, 0.165, 0.125, 0.125, 0.135, 0.09, 0.08))
_LEG_KNOTS = (0, 0.1, 0.3, 0.48, 0.55, 0.66, 0.86, 1)
_LEG_RADII = np.array((0.29, 0.31, 0.27, 0.19, 0.175, 0.195, 0.12, 0.105))


def arm_radii(body, arm, ease=0.0):
  """Returns the radii along an arm, widened by `ease`, units."""
  return arm.radii(_ARM_KNOTS, _ARM_RADII * (0.55 + 0.45 * body.build.girth) + ease)


def leg_radii(body, leg, knee=0.0, ankle=0.0):
  """Returns the radii along a leg, widened at knee and ankle, units."""
  slack = np.interp(_LEG_KNOTS, (0, 0.2, 0.5, 1), (0.02, 0.4 * knee + 0.02, knee, ankle))
  return leg.radii(_LEG_KNOTS, _LEG_RADII * (0.4 + 0.6 * body.build.girth) + slack)


def paint_arm(painter, body, outfit, arm, skin):
  """Paints an arm with its hand and sleeve."""
  painter.tube(arm.path, arm_radii(body, arm), skin, ARMS, shadow=0.35)
  _paint_hand(painter, arm, skin)
  if outfit.sleeve:
    ease = {'sweater': 0.06, 'jacket': 0.07, 'coat': 0.08, 'blouse': 0.06}.get(outfit.top, 0.04)
    flare = 0.05 if outfit.sleeve < 0.7 or outfit.top == 'blouse' else 0.01
    radii = arm_radii(body, arm, ease) + arm.radii((0, 0.3, 1), (0, 0, flare))
    _cuffed_tube(painter, arm.path, radii, outfit.sleeve_fabric, SLEEVES, outfit.sleeve, 0.18)


def _paint_hand(painter, arm, skin):
  _, elbow, wrist = arm.joints
  ahead = (wrist - elbow) / max(np.hypot(*(wrist - elbow)), 1e-6)
  side = np.array([-ahead[1], ahead[0]]) * arm.side
  if side[1] > 0 and abs(ahead[0]) > 0.5:
    side = -side
  palm = np.array([wrist - 0.05 * ahead, wrist + 0.12 * ahead, wrist + 0.27 * ahead,
                   wrist + 0.42 * ahead - 0.04 * side])
  thumb = np.array([wrist + 0.08 * ahead + 0.05 * side, wrist + 0.17 * ahead + 0.14 * side,
                    wrist + 0.28 * ahead + 0.17 * side])
  painter.tube(thumb, (0.05, 0.05, 0.035), skin, ARMS, shadow=0.2)
  painter.tube(palm, (0.085, 0.125, 0.125, 0.06), skin, ARMS, shadow=0.3)
  for across in (-0.045, 0.01):
    finger = np.array([wrist + 0.27 * ahead + across * side,
                       wrist + 0.43 * ahead + (across - 0.02) * side])
    painter.tube(finger, (0.008, 0.012), (0.35, 0.2, 0.15), None, opacity=0.35)


def _cuffed_tube(painter, path, radii, fabric, label, end, shadow=0.3):
  """Paints a tube of fabric up to a fraction of a path, with a seam at its end."""
  painter.tube(path, radii, fabric, label, (0, end), shadow=shadow)
  painter.tube(path, radii, fabric.color * 0.72, None, (end - 0.035, end), opacity=0.55)


def paint_leg(painter, body, outfit, leg, skin):
  """Paints a bare leg, sock and foot or shoe."""
  painter.tube(leg.path, leg_radii(body, leg), skin, SKIN, shadow=0.3)
  if outfit.sock_color is not None and outfit.shoe != 'bare':
    painter.tube(leg.path, leg_radii(body, leg, 0.01, 0.02), outfit.sock_color, SHOE, (0.80, 1))
  _paint_foot(painter, body, outfit, leg, skin)


def _paint_foot(painter, body, outfit, leg, skin):
  ankle = leg.joints[2]
  sideways = np.clip(0.30 * leg.side + 0.95 * body.turn, -1, 1)
  if body.is_back:
    sideways = 0.3 * leg.side
  length = 0.30 + 0.38 * abs(sideways)
  down = 0.10 if body.is_back else 0.22 - 0.08 * abs(sideways)
  direction = np.sign(sideways)
  foot = np.array([ankle + (-0.13 * sideways, 0.06), ankle + (0.02 * direction, 0.09),
                   ankle + (0.55 * length * direction * abs(sideways) ** 0.5, 0.07 + 0.5 * down),
                   ankle + (length * direction * abs(sideways) ** 0.5, 0.06 + down)])
  radii = np.array((0.12, 0.15, 0.145 - 0.02 * abs(sideways), 0.115))
  if outfit.shoe == 'bare':
    painter.tube(foot, 0.82 * radii, skin, SKIN, shadow=0.3)
    return
  painter.tube(foot + (0, 0.05), radii + 0.015, outfit.sole_color, SHOE, shadow=0.3)
  height = {'boots': 0.86, 'high boots': 0.66}.get(outfit.shoe)
  if height:
    shaft = leg_radii(body, leg, 0.04, 0.06)
    painter.tube(leg.path, shaft, outfit.shoe_color, SHOE, (height, 1), shadow=0.3)
    painter.tube(leg.path, shaft, outfit.shoe_color * 0.7, None, (height, height + 0.03),
                 opacity=0.6)
  painter.tube(foot, radii, outfit.shoe_color, SHOE, shadow=0.15)
  if outfit.shoe == 'sneakers':
    for t in (0.35, 0.55):
      lace = foot[1] + t * (foot[2] - foot[1]) + (0, -0.06)
      painter.tube([lace - (0.07, 0), lace + (0.07, -0.01)], 0.016, outfit.sole_color, None)


def paint_bottom(painter, body, outfit, legs):
  """Paints trousers, leggings, shorts or a skirt; nothing for a dress. Farther leg first."""
  fabric = outfit.bottom_fabric
  if outfit.bottom in ('trousers', 'leggings', 'shorts'):
    knee, ankle = {'leggings': (0.01, 0.01), 'shorts': (0.08, 0.12)}.get(
        outfit.bottom, outfit.leg_cut)
    _paint_pelvis(painter, body, fabric)
    for leg in legs:
      _cuffed_tube(painter, leg.path, leg_radii(body, leg, knee, ankle), fabric, PANTS,
                   outfit.bottom_length)
    _paint_pelvis(painter, body, fabric)
    fly = body.torso(0.16), body.torso(-0.10)
    painter.tube(fly, (0.012, 0.02), (0, 0, 0), None, opacity=0.3)
  elif outfit.bottom == 'skirt':
    painter.fill(_skirt_outline(body, outfit), fabric, PANTS, roundness=0.35, shadow=0.4)
    _paint_pleats(painter, body, outfit)
  if outfit.bottom != 'dress':
    color = np.array((0.25, 0.16, 0.1)) if outfit.has_belt else fabric.color * 0.8
    band = [body.edge(t, side, 0.02)
            for t, side in ((0.36, -1), (0.36, 1), (0.31, 1), (0.31, -1))]
    painter.fill(band, color, PANTS, curved=False, roundness=0.1)


def _paint_pelvis(painter, body, fabric):
  left, right = [raster.curve(*[body.edge(t, side, 0.02) for t in (0.36, 0.22, 0.08, 0.0, -0.10)])
                 for side in (-1, 1)]
  painter.fill(np.concatenate([left, right[::-1]]), fabric, PANTS, roundness=0.36, curved=False,
               is_upright=True)


def _skirt_outline(body, outfit):
  """Returns the outline of a skirt or the lower part of a dress."""
  ends = np.array([leg.at(outfit.bottom_length) for leg in body.legs])
  hem_y = max(ends[:, 1].mean(), body.torso(-0.1)[1])
  half = max(np.ptp(ends[:, 0]) / 2 + 0.26, body.half_width(0) + 0.06) + 0.6 * outfit.flare
  center = ends[:, 0].mean()
  left, right = [[body.edge(t, side, 0.03) for t in (0.36, 0.2, 0.04)] for side in (-1, 1)]
  hem = [(center + across * half, hem_y + down) for across, down in (
      (-1, -0.02), (-0.5, 0.05), (0, 0.06), (0.5, 0.05), (1, -0.02))]
  return np.concatenate([left[:1], raster.curve(*(left[1:] + hem[:1])), raster.curve(*hem),
                         raster.curve(*(hem[-1:] + right[:0:-1])), right[:1]])


def _paint_pleats(painter, body, outfit):
  ends = np.array([leg.at(outfit.bottom_length) for leg in body.legs])
  hem_y, center = ends[:, 1].mean(), ends[:, 0].mean()
  for across in (-0.6, -0.2, 0.25, 0.65):
    start = body.torso(0.1, across * body.half_width(0.1) * 0.9)
    end = np.array([center + across * (body.half_width(0) + 0.6 * outfit.flare), hem_y])
    if end[1] - start[1] > 0.3:
      painter.tube([start, start + 0.95 * (end - start)], (0.01, 0.05), (0, 0, 0), None,
                   opacity=0.10)


def paint_top(painter, body, outfit):
  """Paints the top or the dress; an open jacket over a plain shirt."""
  fabric = outfit.top_fabric
  if outfit.top == 'dress':
    painter.fill(_skirt_outline(body, outfit), fabric, GARMENT, roundness=0.35,
                 curved=False, shadow=0.4)
    _paint_pleats(painter, body, outfit)
  if outfit.top in ('jacket', 'coat') and not body.is_back:
    shirt = outfit._replace(ease=0.02, hem=0.12, neckline='round', sleeve=1)
    painter.fill(_top_outline(body, shirt), outfit.inner_fabric, GARMENT, 0.35, curved=False,
                 shadow=0.3)
    for half in _open_front(body, outfit):
      painter.fill(half, fabric, GARMENT, 0.25, curved=False, shadow=0.4)
  else:
    painter.fill(_top_outline(body, outfit), fabric, GARMENT, 0.38, curved=False, shadow=0.35)
    _paint_details(painter, body, outfit)


def paint_trunk(painter, body, skin):
  """Paints the bare trunk and neck."""
  heights = (0.2, 0.38, 0.68, 0.84, 0.93, 0.99)
  left, right = [[body.torso(t, 0.96 * side * body.half_width(t)) for t in heights]
                 for side in (-1, 1)]
  painter.fill(left + right[::-1], skin, SKIN, roundness=0.3)
  head = body.head_center
  neck = np.array([body.torso(0.9), body.torso(1.0), 0.5 * (body.torso(1.0) + head), head])
  painter.tube(neck, np.array((0.3, 0.24, 0.2, 0.2)) * (0.7 + 0.3 * body.build.girth), skin,
               SKIN)


def _sides(body, outfit, is_sleeveless):
  """Returns the points of the left and the right side of a top, from its hem to the shoulder."""
  heights = [outfit.hem] + [t for t in (0.0, 0.12, 0.38, 0.68, 0.82) if t > outfit.hem + 0.04]
  reach = 0.62 if is_sleeveless else 0.93
  shoulder = body.half_width(0.94)
  tips = [(0.93, reach * shoulder), (0.985, 0.9 * reach * shoulder * 0.8)]
  return [[body.edge(t, side, outfit.ease) for t in heights]
          + [body.torso(t, side * across) for t, across in tips] for side in (-1, 1)]


def _neckline(body, shape):
  depth = 0.02 if body.is_back else {'round': 0.10, 'v': 0.24, 'collar': 0.05}[shape]
  rim = 0.25
  points = [body.torso(1.02, -rim), body.torso(1.0 - 0.75 * depth, -0.6 * rim),
            body.torso(1.0 - depth), body.torso(1.0 - 0.75 * depth, 0.6 * rim),
            body.torso(1.02, rim)]
  return np.array(points[::2]) if shape == 'v' and not body.is_back else raster.curve(*points)


def _top_outline(body, outfit):
  left, right = _sides(body, outfit, is_sleeveless=not outfit.sleeve)
  middle = body.torso(outfit.hem) + (0, 0.05)
  return np.concatenate([raster.curve(*left), _neckline(body, outfit.neckline),
                         raster.curve(*right)[::-1], raster.curve(right[0], middle, left[0])])


def _open_front(body, outfit):
  """Yields the outlines of the two halves of an open jacket or coat."""
  gap = 0.16 + 0.22 * outfit.hair_length
  for side, edge in zip((-1, 1), _sides(body, outfit, is_sleeveless=False)):
    front = [(1.03, 0.24), (0.86, 0.2), (0.5, gap), (outfit.hem, gap + 0.04)]
    yield np.concatenate([raster.curve(*edge), raster.curve(
        *[body.torso(t, side * across) for t, across in front])])


def _paint_details(painter, body, outfit):
  """Paints hem, buttons and collar of a closed top."""
  dark = outfit.top_fabric.color * 0.6
  light = np.minimum(outfit.top_fabric.color * 1.15 + 0.05, 1)
  if outfit.top != 'dress':
    width = body.half_width(outfit.hem) + outfit.ease - 0.02
    line = raster.curve(body.torso(outfit.hem + 0.035, -width), body.torso(outfit.hem + 0.02),
                        body.torso(outfit.hem + 0.035, width))
    painter.tube(line, 0.014, dark, None, opacity=0.5)
  if body.is_back:
    return
  if outfit.neckline == 'collar':
    for side in (-1, 1):
      flap = [body.torso(t, side * across) for t, across in (
          (1.05, 0.24), (0.97, 0.30), (0.88, 0.2), (0.955, 0.01))]
      painter.fill(flap, light, GARMENT, 0.06, curved=False, shadow=0.3)
    line = [body.torso(0.93), body.torso(outfit.hem + 0.02)]
    painter.tube(line, 0.012, dark, None, opacity=0.6)
    for t in np.arange(0.85, outfit.hem + 0.05, -0.14):
      painter.ellipse(body.torso(t, 0.05), 0.028, 0.028, light, None)
  else:
    painter.tube(_neckline(body, outfit.neckline), 0.022, dark, None, opacity=0.6)
