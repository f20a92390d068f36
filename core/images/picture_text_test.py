"""Tests of captions and legends."""
import numpy as np
import pytest

from deeplab.core import colormaps
from deeplab.core.images import picture_text

COLORS = [[0, 0, 0], [200, 0, 100], [0, 50, 250]]
PANEL = np.full((40, 300, 3), 77, np.uint8)


def is_ink(pixels):
  """Whether pixels are darker than paper, per pixel."""
  return np.asarray(pixels).astype(int).sum(axis=2) < 600


def test_entries_have_id_name_and_colour():
  assert picture_text.class_entries([0, 2, 5], np.array(COLORS + [[1, 2, 3]] * 3),
                                    ['void', 'lane', 'sign'], (0,)) == [
      ('0 void (clear)', None), ('2 sign', (0, 50, 250)), ('class 5', (1, 2, 3))]
  assert picture_text.class_entries([1], COLORS) == [('class 1', (200, 0, 100))]


def test_a_sheet_without_words_is_its_panels():
  np.testing.assert_array_equal(picture_text.sheet([PANEL]), PANEL)


def test_panels_stay_as_they_are_above_their_captions():
  panels = [PANEL, PANEL + 100]
  sheet = np.asarray(picture_text.sheet(panels, ['image', 'label']))
  np.testing.assert_array_equal(sheet[:40, :300], panels[0])
  np.testing.assert_array_equal(sheet[:40, 306:606], panels[1])
  assert sheet.shape[1] == 606 and (sheet[:40, 300:306] == 255).all()
  captions = is_ink(sheet[40:])
  lefts = np.flatnonzero(captions.any(axis=0))
  # The words begin below the left side of their panel, and are not alike.
  assert lefts[0] < 4 and 306 <= lefts[lefts > 290][0] < 310
  assert (captions[:, :60] != captions[:, 306:366]).any()


def test_words_wider_than_panels_make_the_sheet_wider():
  small = PANEL[:, :10]
  alone, step = picture_text.footer((40, 10), 2, ['image', 'a caption of some length'])
  assert step > 100 and alone.width == 2 * step - 6
  legend = np.asarray(picture_text.sheet([small], entries=[
      picture_text.Entry('a class of some length', (9, 9, 9))]))
  np.testing.assert_array_equal(legend[:40, :10], small)
  # Nothing is cut off at the right side.
  assert is_ink(legend[40:]).any(axis=0)[:-5].any() and not is_ink(legend[40:, -5:]).any()


@pytest.mark.parametrize('width', [65, 513, 4000])
def test_a_legend_of_many_classes_shows_each_colour_on_a_line_of_readable_height(width):
  colors = colormaps.colormap('pascal', 151)
  names = ['class of name %d' % i for i in range(151)]
  sheet = np.asarray(picture_text.sheet(
      [np.full((width // 2, width, 3), 255, np.uint8)],
      entries=picture_text.class_entries(range(151), colors, names)))
  shown = {tuple(color) for color in sheet.reshape(-1, 3)}
  assert {tuple(color) for color in colors} <= shown
  # 9 pixels and more where the sheet is shown 800 pixels wide.
  lines = np.diff(np.flatnonzero(np.diff((sheet[width // 2:, 2] == 255).all(axis=1))))
  assert lines.min() >= 3 and max(lines) * min(1, 800. / sheet.shape[1]) >= 9


def test_what_is_not_painted_has_an_empty_box():
  pixels = np.asarray(picture_text.sheet([PANEL], entries=[picture_text.Entry('void')]))[40:]
  box = pixels[:, :14].reshape(-1, 3)
  assert (box == 255).all(axis=1).mean() > 0.5 and (box == 130).all(axis=1).any()


def test_names_of_any_kind_are_drawn_on_one_line():
  def height(text):
    return picture_text.footer((40, 4000), 1, (), [picture_text.Entry(text)])[0].size

  plain = height('x')
  for text in ('', 'a\nb\0c', '\u0434\u043e\u0440\u043e\u0433\u0430 \u03b1', '\u9053\u8def'):
    assert height(text) == plain
  assert height('n' * 500) == plain
  # Letters beyond Latin are not all the same box.
  words = [is_ink(picture_text.footer((40, 300), 1, [text])[0])
           for text in ('\u0434\u043e\u0440', '\u0433\u0430\u0436')]
  assert (words[0] != words[1]).any()
