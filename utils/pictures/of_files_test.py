"""Tests of finding and reading own pictures."""
import os
import sys
import types

import numpy as np
import pytest
from PIL import Image

from deeplab.core.images import limits
from deeplab.utils.pictures import of_files

PIXELS = np.random.RandomState(0).randint(0, 256, (5, 8, 3)).astype(np.uint8)


def save(path, pixels=PIXELS, mode=None, **options):
  picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
  (picture.convert(mode) if mode else picture).save(str(path), **options)
  return str(path)


def names_in(folder, *patterns, **options):
  return [os.path.relpath(path, str(folder))
          for path in of_files.list_pictures(patterns, **options)]


@pytest.fixture
def folder(tmp_path):
  (tmp_path / 'sub').mkdir()
  for name in ('b.png', 'a.jpg', 'sub/c.PNG'):
    save(tmp_path / name, format='PNG')
  (tmp_path / 'notes.md').write_text('no picture')
  return tmp_path


def test_files_folders_and_patterns(folder):
  assert names_in(folder, str(folder)) == ['a.jpg', 'b.png']
  assert names_in(folder, str(folder / 'b.png')) == ['b.png']
  assert names_in(folder, str(folder / '*.png')) == ['b.png']
  assert names_in(folder, str(folder / '*')) == ['a.jpg', 'b.png']
  assert names_in(folder, str(folder / '*.md')) == ['notes.md']
  assert names_in(folder, str(folder / '**' / '*.[pP][nN][gG]')) == ['b.png', 'sub/c.PNG']
  assert names_in(folder, str(folder / 'sub'), str(folder / 'b.png'), str(folder)) == [
      'sub/c.PNG', 'b.png', 'a.jpg']


def test_lists_keep_their_order(folder):
  (folder / 'list.txt').write_text(
      '# chosen\nsub\n\n%s\na.jpg\nabsent.png\n' % (folder / 'b.png'), encoding='utf-8')
  paths = of_files.list_pictures([str(folder / 'list.txt')])
  assert [os.path.basename(path) for path in paths] == ['c.PNG', 'b.png', 'a.jpg',
                                                        'absent.png']
  assert all(os.path.isfile(path) for path in paths[:3])


def test_lists_hold_patterns_from_here_else_from_their_folder(folder, monkeypatch):
  save(folder / '[x].png')
  (folder / 'list.txt').write_text('%s\nsub/*\n[x].png\n*.gif\n' % (folder / '?.jpg'))
  paths = of_files.list_pictures([str(folder / 'list.txt')])
  assert paths == [str(folder / 'a.jpg'), str(folder / 'sub' / 'c.PNG'),
                   str(folder / '[x].png'), '*.gif']
  monkeypatch.chdir(folder / 'sub')
  (folder / 'list.txt').write_text('\ufeff*.PNG\n', encoding='utf-8')
  assert of_files.list_pictures([str(folder / 'list.txt')]) == ['c.PNG']


def test_results_are_no_inputs(folder):
  for name in ('a_color.png', 'a_overlay.png', 'own_color.png', 'x_prediction.png'):
    save(folder / name)
  # Beside its own picture, or in the folder of results; others may be called so.
  assert names_in(folder, str(folder)) == ['a.jpg', 'b.png', 'own_color.png',
                                           'x_prediction.png']
  assert names_in(folder, str(folder), results_folder=str(folder)) == ['a.jpg', 'b.png']
  assert names_in(folder, str(folder / '*.png'), results_folder=str(folder)) == ['b.png']
  assert names_in(folder, str(folder / 'a_color.png'), results_folder=str(folder)) == [
      'a_color.png']


@pytest.mark.parametrize('name, message', [
    ('absent', 'no such file or folder, and the pattern matches none'),
    ('*.gif', 'no such file or folder, and the pattern matches none'),
    ('empty', 'the folder holds no pictures'),
    ('nothing.txt', 'the list is empty')])
def test_patterns_of_nothing_are_told(tmp_path, name, message):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'nothing.txt').write_text('\n')
  with pytest.raises(ValueError, match='--input=.*: %s' % message):
    of_files.list_pictures([str(tmp_path / name)])


def test_lists_in_another_encoding_are_told(tmp_path):
  (tmp_path / 'list.txt').write_bytes('Stra\xdfe.jpg\n'.encode('latin-1'))
  with pytest.raises(ValueError, match="--input=.*list.txt: the list cannot be read: 'utf-8'"):
    of_files.list_pictures([str(tmp_path / 'list.txt')])


def test_folders_that_cannot_be_read_are_told(tmp_path, monkeypatch):
  def refuse(unused_path):
    raise PermissionError(13, 'Permission denied')

  monkeypatch.setattr(os, 'listdir', refuse)
  with pytest.raises(ValueError, match='the folder cannot be read: Permission denied'):
    of_files.list_pictures([str(tmp_path)])


def test_names_are_unique():
  named = of_files.name_pictures(
      ['p/a.jpg', 'p/a.png', 'q/a.png', 'q/a.jpg', 'q/A.jpg', 'b.x.png'])
  assert [each.name for each in named] == ['a', 'a_png', 'a_png_2', 'a_jpg', 'A_jpg_2', 'b.x']


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'LA', 'P', 'CMYK', '1'])
def test_all_modes_become_rgb(tmp_path, mode):
  path = save(tmp_path / ('a.tif' if mode == 'CMYK' else 'a.png'), mode=mode)
  image = of_files.read_picture(path)
  assert image.dtype == np.uint8
  np.testing.assert_array_equal(image, Image.fromarray(PIXELS).convert(mode).convert('RGB'))


def test_of_16_bit_grey_the_upper_byte_counts(tmp_path):
  values = np.array([[0, 255, 256, 51400, 65535]], np.uint16)
  image = of_files.read_picture(save(tmp_path / 'a.png', values))
  assert image.tolist() == [[[v, v, v] for v in (0, 0, 1, 200, 255)]]


@pytest.mark.parametrize('value', [-1, 65536])
def test_grey_values_beyond_16_bits_are_told(tmp_path, value):
  path = save(tmp_path / 'a.tif', np.array([[0, value]], np.int32))
  with pytest.raises(ValueError, match=r'a.tif: not a readable picture \(its values are .*%d.*, '
                                       'which do not fill' % value):
    of_files.read_picture(path)


@pytest.mark.parametrize('orientation, expected', [
    (1, PIXELS), (2, PIXELS[:, ::-1]), (3, PIXELS[::-1, ::-1]), (4, PIXELS[::-1]),
    (6, np.rot90(PIXELS, -1)), (8, np.rot90(PIXELS))])
def test_pictures_are_turned_upright(tmp_path, orientation, expected):
  exif = Image.Exif()
  exif[0x0112] = orientation
  path = save(tmp_path / 'a.png', exif=exif)
  np.testing.assert_array_equal(of_files.read_picture(path), expected)


def test_of_a_jpeg_file_of_several_pictures_the_first_is_read(tmp_path):
  path = save(tmp_path / 'a.jpg', format='MPO', save_all=True,
              append_images=[Image.fromarray(PIXELS[::-1])])
  with Image.open(path) as first:
    np.testing.assert_array_equal(of_files.read_picture(path), np.asarray(first))


def test_unreadable_pictures_are_named(tmp_path):
  whole = save(tmp_path / 'a.jpg', np.zeros((64, 64, 3), np.uint8))
  with open(whole, 'rb') as f:
    data = f.read()
  (tmp_path / 'cut.jpg').write_bytes(data[:-200])
  (tmp_path / 'empty.png').write_bytes(b'')
  save(tmp_path / 'float.tif', np.zeros((3, 3), np.float32))
  named = of_files.name_pictures(
      [str(tmp_path / name) for name in ('cut.jpg', 'a.jpg', 'empty.png', 'float.tif',
                                         'absent.png')])
  pictures = list(of_files.read_all(named))
  assert [picture.name for picture in pictures] == ['cut', 'a', 'empty', 'float', 'absent']
  assert [picture.image is None for picture in pictures] == [True, False, True, True, True]
  for picture in pictures:
    if picture.error:
      assert '\n' not in picture.error
      assert picture.error.startswith('%s: not a readable picture (' % picture.source)


def test_few_pictures_are_read_ahead(tmp_path, monkeypatch):
  read = []
  monkeypatch.setattr(of_files, 'read_picture', lambda path, _: read.append(path))
  named = of_files.name_pictures(['%d.png' % index for index in range(30)])
  pictures = of_files.read_all(named)
  next(pictures)
  pictures.close()
  assert len(read) <= 6


class FakeVideo(object):
  """Stands for cv2.VideoCapture: two frames, or none of a broken file.

  One that lies states a size of 0x0.
  """

  def __init__(self, path):
    self.frames = [] if 'broken' in path else [PIXELS[..., ::-1], PIXELS[::-1, :, ::-1]]
    self.sides = (0., 0.) if 'broken' in path or 'lies' in path else (5., 8.)

  def get(self, side):
    return self.sides[side]

  def read(self):
    return (True, self.frames.pop(0)) if self.frames else (False, None)

  def release(self):
    self.frames = None


FAKE_CV2 = types.SimpleNamespace(VideoCapture=FakeVideo, CAP_PROP_FRAME_HEIGHT=0,
                                 CAP_PROP_FRAME_WIDTH=1)


def test_videos_are_read_frame_by_frame(monkeypatch):
  monkeypatch.setitem(sys.modules, 'cv2', FAKE_CV2)
  pictures = list(of_files.read_all(
      of_files.name_pictures(['film.mp4', 'broken.mov'])))
  assert [(picture.name, picture.source) for picture in pictures] == [
      ('film_000000', 'film.mp4, frame 0'), ('film_000001', 'film.mp4, frame 1'),
      ('broken', 'broken.mov')]
  np.testing.assert_array_equal(pictures[0].image, PIXELS)
  np.testing.assert_array_equal(pictures[1].image, PIXELS[::-1])
  assert pictures[2].error == 'broken.mov: not a readable video.'


def test_videos_with_more_pixels_than_allowed_are_refused(monkeypatch):
  monkeypatch.setitem(sys.modules, 'cv2', FAKE_CV2)
  monkeypatch.setattr(limits, '_limit', 39)
  named = of_files.name_pictures(['film.mp4', 'lies.mov'])
  assert [(picture.source, picture.error) for picture in of_files.read_all(named)] == [
      (path, '%s: not a readable video (a frame is 5x8 (height x width), more pixels than the 39 '
             'that --max_image_pixels allows).' % path) for path in ('film.mp4', 'lies.mov')]
  monkeypatch.setattr(limits, '_limit', 40)
  assert [picture.error for picture in of_files.read_all(named)] == [None] * 4


def test_a_video_is_refused_by_the_size_it_states_before_a_frame_is_read(monkeypatch):
  monkeypatch.setitem(sys.modules, 'cv2', FAKE_CV2)
  monkeypatch.setattr(limits, '_limit', 39)
  monkeypatch.delattr(FakeVideo, 'read')
  picture, = of_files.read_all(of_files.name_pictures(['film.mp4']))
  assert 'a frame is 5x8' in picture.error


def test_real_videos_keep_their_colours(tmp_path):
  cv2 = pytest.importorskip('cv2', reason='No OpenCV here.')
  colors = [(200, 30, 20), (20, 40, 220)]
  path = str(tmp_path / 'film.avi')
  video = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'MJPG'), 5, (64, 48))
  for color in colors:
    video.write(np.full((48, 64, 3), color[::-1], np.uint8))
  video.release()
  (tmp_path / 'broken.mp4').write_bytes(b'no video')
  pictures = list(of_files.read_all(of_files.name_pictures(
      [path, str(tmp_path / 'broken.mp4')])))
  assert [picture.name for picture in pictures] == ['film_000000', 'film_000001', 'broken']
  for picture, color in zip(pictures, colors):
    assert picture.image.shape == (48, 64, 3)
    assert np.abs(picture.image.astype(int) - color).max() < 12
  assert 'broken.mp4: not a readable video' in pictures[2].error


def test_videos_without_opencv_say_what_to_install(monkeypatch):
  monkeypatch.setitem(sys.modules, 'cv2', None)
  picture, = of_files.read_all(of_files.name_pictures(['film.mp4']))
  assert picture.error == (
      'film.mp4: videos need OpenCV: pip install opencv-python-headless.')


def test_pages_behind_the_first_one_are_told(tmp_path):
  path = str(tmp_path / 'a.tif')
  Image.new('L', (3, 2)).save(path, save_all=True, append_images=[Image.new('L', (3, 2), 9)])
  with pytest.raises(ValueError, match='a.tif: not a readable picture .it has 2 pages, of which'):
    of_files.read_picture(path)
