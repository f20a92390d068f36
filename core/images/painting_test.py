"""Tests of classes painted over images, captions and legends."""
import numpy as np
import pytest

from deeplab.core import colormaps
from deeplab.core.images import painting
from deeplab.datasets import registry

COLORS = np.array([[0, 0, 0], [200, 0, 100], [0, 50, 250]], np.uint8)
LISTED_COLORS = COLORS.tolist()
PANEL = np.full((40, 300, 3), 77, np.uint8)


@pytest.mark.parametrize('names, ids', [
    (['background', 'lane', 'sign'], (0,)), (['__Background__', 'a', 'b'], (0,)),
    (['lane', 'sign', 'clutter/background'], (2,)), (['Unlabeled', 'a', 'no data'], (0, 2)),
    (['sky', 'road', 'car'], ()), (['other', 'backpack', 'greenery'], ())])
def test_background_is_what_is_called_so_where_names_are_known(names, ids):
  assert painting.background_ids(names, COLORS) == ids


@pytest.mark.parametrize('dataset, ids', [
    ('pascal_voc_seg', (0,)), ('cityscapes', ()), ('ade20k', (0,)), ('tryon1k', (0,))])
def test_background_of_the_built_in_datasets(dataset, ids):
  row = registry.DATASETS[dataset]
  colors = colormaps.colormap(row.colormap)
  assert painting.background_ids(row.class_names, colors, row.ignore_label) == ids
  # Without names the colour of class 0 tells.
  assert painting.background_ids(None, colors) == ids


def test_a_class_that_is_ignored_is_background_and_a_label_beyond_the_classes_is_none():
  assert painting.background_ids(['lane', 'other', 'sign'], COLORS, 1) == (1,)
  assert painting.background_ids(['lane', 'other', 'sign'], COLORS, 255) == ()


def test_blend_is_the_weighted_mean():
  image = np.full((2, 2, 3), 100, np.uint8)
  result = painting.blend(image, np.array([[0, 1], [2, 1]]), COLORS, opacity=0.25)
  np.testing.assert_array_equal(result[0], [[75, 75, 75], [125, 75, 100]])
  assert result.dtype == np.uint8


@pytest.mark.parametrize('opacity', [0.1, 0.37, 0.6, 1])
def test_blend_is_rounded_to_the_nearest(opacity):
  image = np.arange(3 * 4 * 256, dtype=np.int64).reshape(-1, 4, 3).astype(np.uint8)
  labels = np.arange(4 * 256).reshape(-1, 4) % 3
  exact = (1 - opacity) * image + opacity * COLORS[labels].astype(float)
  assert np.abs(painting.blend(image, labels, COLORS, opacity) - exact).max() < 0.501


def test_the_image_stays_as_it_is_where_nothing_is_painted():
  image = np.full((600, 2, 3), 100, np.uint8)  # more rows than are blended at once
  labels = np.zeros((600, 2), int)
  labels[300:, 1] = 1
  labels[:, 0] = 255
  result = painting.blend(image, labels, COLORS, clear_ids=(0, 255))
  expected = image.copy()
  expected[300:, 1] = [150, 50, 100]
  np.testing.assert_array_equal(result, expected)
  with pytest.raises(IndexError):
    painting.blend(image, labels, COLORS, clear_ids=(0,))


def test_errors_are_red_on_pale_grey_and_ignored_pixels_white():
  image = np.full((1, 3, 3), [0, 100, 200], np.uint8)
  drawn = painting.errors(image, np.array([[1, 1, 255]]), np.array([[1, 0, 0]]), 255)
  np.testing.assert_array_equal(drawn, [[[120] * 3, [230, 0, 60], [255] * 3]])


def is_ink(pixels):
  """Whether pixels are darker than paper, per pixel."""
  return np.asarray(pixels).astype(int).sum(axis=2) < 600


def test_entries_have_id_name_and_colour():
  assert painting.class_entries([0, 2, 5], np.array(LISTED_COLORS + [[1, 2, 3]] * 3),
                                    ['void', 'lane', 'sign'], (0,)) == [
      ('0 void (clear)', None), ('2 sign', (0, 50, 250)), ('class 5', (1, 2, 3))]
  assert painting.class_entries([1], LISTED_COLORS) == [('class 1', (200, 0, 100))]


def test_a_sheet_without_words_is_its_panels():
  np.testing.assert_array_equal(painting.sheet([PANEL]), PANEL)


def test_panels_stay_as_they_are_above_their_captions():
  panels = [PANEL, PANEL + 100]
  sheet = np.asarray(painting.sheet(panels, ['image', 'label']))
  np.testing.assert_array_equal(sheet[:40, :300], panels[0])
  np.testing.assert_array_equal(sheet[:40, 306:606], panels[1])
  assert sheet.shape[1] == 606 and (sheet[:40, 300:306] == 255).all()
  captions = is_ink(sheet[40:])
  lefts = np.flatnonzero(captions.any(axis=0))
  # The words begin below the left side of their panel, and are not alike.
  assert lefts[0] < 4 and 306 <= lefts[lefts > 290][0] < 310
  assert (captions[:, :60] != captions[:, 306:366]).any()


def test_a_caption_is_never_cut():
  small, caption = np.zeros((20, 20, 3), np.uint8), 'rows, from above: image, label, prediction'
  widths = [painting.sheet([small], [text]).width for text in (caption, caption + ', ' + caption)]
  assert widths[1] > 1.9 * widths[0]


def test_words_wider_than_panels_make_the_sheet_wider():
  small = PANEL[:, :10]
  alone, step = painting.footer((40, 10), 2, ['image', 'a caption of some length'])
  assert step > 100 and alone.width == 2 * step - 6
  legend = np.asarray(painting.sheet([small], entries=[
      painting.Entry('a class of some length', (9, 9, 9))]))
  np.testing.assert_array_equal(legend[:40, :10], small)
  # Nothing is cut off at the right side.
  assert is_ink(legend[40:]).any(axis=0)[:-5].any() and not is_ink(legend[40:, -5:]).any()


@pytest.mark.parametrize('width', [65, 513, 4000])
def test_a_legend_of_many_classes_shows_each_colour_on_a_line_of_readable_height(width):
  colors = colormaps.colormap('pascal', 151)
  names = ['class of name %d' % i for i in range(151)]
  sheet = np.asarray(painting.sheet(
      [np.full((width // 2, width, 3), 255, np.uint8)],
      entries=painting.class_entries(range(151), colors, names)))
  shown = {tuple(color) for color in sheet.reshape(-1, 3)}
  assert {tuple(color) for color in colors} <= shown
  # 9 pixels and more where the sheet is shown 800 pixels wide.
  lines = np.diff(np.flatnonzero(np.diff((sheet[width // 2:, 2] == 255).all(axis=1))))
  assert lines.min() >= 3 and max(lines) * min(1, 800. / sheet.shape[1]) >= 9


def test_what_is_not_painted_has_an_empty_box():
  pixels = np.asarray(painting.sheet([PANEL], entries=[painting.Entry('void')]))[40:]
  box = pixels[:, :14].reshape(-1, 3)
  assert (box == 255).all(axis=1).mean() > 0.5 and (box == 130).all(axis=1).any()


def test_names_of_any_kind_are_drawn_on_one_line():
  def height(text):
    return painting.footer((40, 4000), 1, (), [painting.Entry(text)])[0].size

  plain = height('x')
  for text in ('', 'a\nb\0c', '\u0434\u043e\u0440\u043e\u0433\u0430 \u03b1', '\u9053\u8def'):
    assert height(text) == plain
  assert height('n' * 500) == plain
  # Letters beyond Latin are not all the same box.
  words = [is_ink(painting.footer((40, 300), 1, [text])[0])
           for text in ('\u0434\u043e\u0440', '\u0433\u0430\u0436')]
  assert (words[0] != words[1]).any()
