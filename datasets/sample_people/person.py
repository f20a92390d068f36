"""Paints a whole dressed person, back to front."""
import numpy as np

from deeplab.datasets.sample_people import garments, raster, textures
from deeplab.datasets.sample_people.canvas import GARMENT, OTHER
from deeplab.datasets.sample_people.head import Head


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
  handle = raster.smooth([top + (-0.55 * half, 0.05), hand + (-0.1, 0.02), hand + (0.1, 0.02),
                          top + (0.55 * half, 0.05)], closed=False)
  painter.tube(handle, np.full(len(handle), 0.035), outfit.bag_fabric.color * 0.8, OTHER)
  flare = 0.08 * (1 if outfit.phase[4] < 0.5 else -1)
  outline = np.array([top + (-half - flare, 0), top + (half + flare, 0), top + (half, tall),
                      top + (-half, tall)])
  _paint_bag(painter, outline, outfit, 0.4)


def _paint_bag(painter, outline, outfit, flap):
  """Paints a bag of four corners, clockwise from the upper left, with a flap."""
  fabric = outfit.bag_fabric
  painter.fill(_rounded(outline), fabric, OTHER, 0.14, curved=False, shadow=0.4)
  upper = outline.copy()
  upper[2] = outline[1] + flap * (outline[2] - outline[1])
  upper[3] = outline[0] + flap * (outline[3] - outline[0])
  painter.fill(_rounded(upper), fabric.color * 0.85, OTHER, 0.1, curved=False, shadow=0.3)
  painter.ellipse(upper[2:].mean(axis=0) - (0, 0.04), 0.05, 0.04, (0.85, 0.72, 0.4), OTHER,
                  roundness=0.05)


def _rounded(corners, reach=0.16):
  closed = np.concatenate([[0.5 * (corners[-1] + corners[0])], corners,
                           [0.5 * (corners[-1] + corners[0])]])
  return raster.round_corners(closed, reach)


def _paint_straps(painter, body, outfit):
  dark = outfit.bag_fabric.color * 0.8
  if outfit.bag == 'backpack':
    for side in (-1, 1):
      strap = raster.smooth([body.torso(1.0, side * 0.38), body.torso(0.9, side * 0.48),
                             body.torso(0.65, side * 0.5),
                             body.torso(0.45, side * (body.half_width(0.45) + 0.02))],
                            closed=False)
      painter.tube(strap, np.full(len(strap), 0.085), outfit.bag_fabric, OTHER, shadow=0.4)
    return
  side = _bag_side(outfit)
  strap = raster.smooth([body.torso(0.99, -side * 0.42), body.torso(0.7, -side * 0.12),
                         body.torso(0.15, side * (body.half_width(0.1) + 0.1))], closed=False)
  painter.tube(strap, np.full(len(strap), 0.05), dark, OTHER, shadow=0.4)
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
    end = raster.smooth([body.torso(0.98, side * 0.12), body.torso(0.75, side * 0.2),
                         body.torso(0.5, side * 0.22)], closed=False)
    painter.tube(end, np.full(len(end), 0.13), fabric, GARMENT, (0, 0.98), shadow=0.4)
  loop = raster.smooth([body.torso(1.04, -0.30), body.torso(0.97, -0.2), body.torso(0.94),
                        body.torso(0.97, 0.2), body.torso(1.04, 0.30)], closed=False)
  painter.tube(loop, np.full(len(loop), 0.14), fabric, GARMENT, shadow=0.4)
