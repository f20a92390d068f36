"""Tests of painted people: parts are where they belong and carry the right labels."""
import numpy as np
import pytest

from deeplab.datasets.sample_people import body, canvas, person

_UNIT = 44


def _paint(**changes):
  """Returns ([300, 260] labels, [18, 2] landmarks in pixels) of a figure seen from the front."""
  random = np.random.RandomState(1)
  figure = body.sample_body(random)
  outfit = person.sample_outfit(random)._replace(
      hat=None, glasses=None, bag=None, has_scarf=False, **changes)
  light = canvas.Light(np.array([0.0, -0.6, 0.8]), 0.5)
  picture = canvas.Canvas(np.full((340, 260, 3), 0.5), light)
  painter = canvas.Painter(picture, _UNIT, (130, 330))
  figure = figure._replace(is_back=False, turn=0.2, head_tilt=0.0)
  person.paint_person(painter, figure, outfit)
  return picture.labels, painter.to_pixels(figure.landmarks())


def _label_at(labels, point):
  return labels[int(point[1]), int(point[0])]


@pytest.mark.parametrize('style', person.HAIRSTYLES)
@pytest.mark.parametrize('length', [0.0, 1.0])
def test_hair_leaves_the_face_free(style, length):
  labels, points = _paint(hairstyle=style, hair_length=length)
  for name in ('nose', 'right_eye', 'left_eye'):
    assert _label_at(labels, points[body.LANDMARKS.index(name)]) == canvas.SKIN
  eyes = points[[body.LANDMARKS.index('right_eye'), body.LANDMARKS.index('left_eye')]]
  crown = eyes.mean(axis=0) - (0, 0.46 * _UNIT)
  assert _label_at(labels, crown) == (canvas.SKIN if style == 'bald' else canvas.HAIR)


@pytest.mark.parametrize('sleeve', [0.0, 0.34, 0.97])
def test_sleeves_end_where_arms_begin(sleeve):
  labels, _ = _paint(top='shirt', sleeve=sleeve)
  num_arms, num_sleeves = [(labels == c).sum() for c in (canvas.ARMS, canvas.SLEEVES)]
  assert (num_sleeves > 0) == (sleeve > 0)
  assert (num_sleeves > num_arms) == (sleeve > 0.5)


@pytest.mark.parametrize('bottom, length', [('trousers', 0.97), ('shorts', 0.35), ('skirt', 0.5)])
def test_bare_legs_below_the_hem_are_skin(bottom, length):
  labels, points = _paint(top='shirt', hem=0.05, bottom=bottom, bottom_length=length, shoe='low',
                          sock_color=None)
  shin = 0.4 * points[9] + 0.6 * points[10]
  assert _label_at(labels, shin) == (canvas.PANTS if bottom == 'trousers' else canvas.SKIN)
  thigh = 0.85 * points[8] + 0.15 * points[9]
  assert _label_at(labels, thigh) == canvas.PANTS


def test_a_dress_is_a_garment_without_pants():
  labels, _ = _paint(top='dress', bottom='dress', bottom_length=0.5, hem=0.3)
  assert not (labels == canvas.PANTS).any()
  assert (labels == canvas.GARMENT).sum() > 2000


def test_bare_feet_are_skin_and_shoes_are_shoes():
  for shoe, is_shoe in (('bare', False), ('sneakers', True), ('high boots', True)):
    labels, _ = _paint(shoe=shoe, sock_color=None, bottom='shorts', bottom_length=0.35)
    assert (labels == canvas.SHOE).any() == is_shoe
