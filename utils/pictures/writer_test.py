"""Tests of writing what a model sees in own pictures, and of names of files."""
import hashlib
import json
import os
import time

import numpy as np
import pytest
from PIL import Image

from deeplab.utils.pictures import of_files
from deeplab.utils.pictures import writer as writer_lib

NAMES = ['sky', 'road', 'car']
COLORS = np.zeros((300, 3), np.uint8)
COLORS[:3] = [[0, 0, 0], [100, 0, 0], [0, 50, 250]]
IMAGE = np.zeros((4, 10, 3), np.uint8)
IMAGE[:, 3:] = [210, 20, 40]
LABELS = np.where(IMAGE[..., 0] > 0, 2, 1).astype(np.int32)
PICTURE = of_files.Picture('a', 'photos/a.png', IMAGE)


def write(folder, labels=LABELS, probabilities=None, overlay_legend=False, **options):
  with writer_lib.PredictionWriter(
      str(folder), COLORS, NAMES, writer_lib.Options(
          overlay_legend=overlay_legend, **options), 'run') as writer:
    writer.write(PICTURE, labels, probabilities)
  return sorted(os.listdir(str(folder)))


def read(path):
  return np.array(Image.open(str(path)))


def test_default_files(tmp_path):
  assert write(tmp_path / 'out') == ['a_color.png', 'a_overlay.png', 'a_prediction.png',
                                     'areas.json']
  np.testing.assert_array_equal(read(tmp_path / 'out' / 'a_prediction.png'), LABELS)
  np.testing.assert_array_equal(read(tmp_path / 'out' / 'a_color.png'), COLORS[LABELS])
  overlay = read(tmp_path / 'out' / 'a_overlay.png')
  assert overlay[0, 0].tolist() == [50, 0, 0]
  assert overlay[0, 9].tolist() == [105, 35, 145]


def test_areas_tell_pixels_and_shares(tmp_path):
  write(tmp_path)
  areas = json.loads((tmp_path / 'areas.json').read_text(encoding='utf-8'))
  assert areas == {
      'model': 'run', 'class_names': NAMES,
      'pictures': {'a': {
          'source': 'photos/a.png', 'height': 4, 'width': 10,
          'classes': [{'id': 2, 'name': 'car', 'pixels': 28, 'share': 0.7},
                      {'id': 1, 'name': 'road', 'pixels': 12, 'share': 0.3}]}}}


def test_cutout_shows_chosen_classes_only(tmp_path):
  assert write(tmp_path, outputs=[], cutout_ids=[0, 2]) == [
      'a_cutout.png', 'sources.json']
  pixels = read(tmp_path / 'a_cutout.png')
  assert pixels.shape == (4, 10, 4)
  assert pixels[0, 0].tolist() == [0, 0, 0, 0]
  assert pixels[0, 9].tolist() == [210, 20, 40, 255]
  assert (pixels[..., 3] == 255).sum() == 28


def test_probabilities_are_written(tmp_path):
  probabilities = np.random.RandomState(0).rand(4, 10, 3).astype(np.float32)
  assert write(tmp_path, outputs=['prediction'], probabilities=probabilities) == [
      'a_prediction.png', 'a_probabilities.npz', 'sources.json']
  with np.load(str(tmp_path / 'a_probabilities.npz')) as stored:
    np.testing.assert_allclose(stored['probabilities'], probabilities, atol=5e-4)


def test_overlay_opacity(tmp_path):
  write(tmp_path, outputs=['overlay'], overlay_opacity=0.)
  np.testing.assert_array_equal(read(tmp_path / 'a_overlay.png'), IMAGE)


@pytest.mark.parametrize('names, paints, expected', [
    (['background', 'road', 'car'], False, 100), (['background', 'road', 'car'], True, 50),
    (NAMES, False, 50), (None, False, 100)])
def test_overlay_leaves_the_background_clear_unless_asked(tmp_path, names, paints, expected):
  image = np.full((2, 300, 3), 100, np.uint8)
  labels = np.repeat([[0, 2]], 150, axis=1).repeat(2, axis=0)
  with writer_lib.PredictionWriter(
      str(tmp_path), COLORS, names, writer_lib.Options(
          ['overlay', 'color'], overlay_legend=False, paint_background=paints)) as writer:
    writer.write(PICTURE._replace(image=image), labels)
  overlay = read(tmp_path / 'a_overlay.png')
  assert (overlay[:, :150] == expected).all() and (overlay[:, 150:] == [50, 75, 175]).all()
  np.testing.assert_array_equal(read(tmp_path / 'a_color.png'), COLORS[labels])


def test_overlay_has_a_legend_of_the_classes_that_are_there_below_the_picture(tmp_path):
  write(tmp_path / 'plain', outputs=['overlay'])
  write(tmp_path / 'legend', outputs=['overlay'], overlay_legend=True)
  plain, legend = [read(tmp_path / name / 'a_overlay.png') for name in ('plain', 'legend')]
  assert plain.shape == IMAGE.shape
  np.testing.assert_array_equal(legend[:4, :10], plain)
  below = legend[4:].reshape(-1, 3)
  assert [(below == color).all(axis=1).any() for color in COLORS[1:3]] == [True, True]
  write(tmp_path / 'road', labels=np.ones_like(LABELS), outputs=['overlay'], overlay_legend=True)
  below = read(tmp_path / 'road' / 'a_overlay.png')[4:].reshape(-1, 3)
  assert not (below == COLORS[2]).all(axis=1).any()


def test_ids_beyond_8_bits_are_kept(tmp_path):
  write(tmp_path, labels=np.full((4, 10), 299, np.int32))
  assert (read(tmp_path / 'a_prediction.png') == 299).all()


def test_finished_pictures_are_known(tmp_path):
  source = tmp_path / 'a.png'
  Image.fromarray(IMAGE).save(str(source))
  folder = tmp_path / 'out'

  def open_writer():
    return writer_lib.PredictionWriter(str(folder), COLORS, NAMES)

  with open_writer() as writer:
    assert not writer.keep_finished('a', str(source))
    writer.write(PICTURE._replace(source=str(source)), LABELS)
  content = (folder / 'areas.json').read_text()
  with open_writer() as writer:
    assert writer.keep_finished('a', str(source))
    assert not writer.keep_finished('a', 'other/a.png')
  assert (folder / 'areas.json').read_text() == content.replace('"run"', 'null')
  later = os.path.getmtime(str(folder / 'a_color.png')) + 10
  os.utime(str(source), (later, later))
  with open_writer() as writer:
    assert not writer.keep_finished('a', str(source))
  os.utime(str(source), (1, 1))
  (folder / 'a_overlay.png').unlink()
  with open_writer() as writer:
    assert not writer.keep_finished('a', str(source))


def test_results_of_a_name_are_known_by_their_source_without_areas_too(tmp_path):
  paths = []
  for name in ('a.png', 'a.bmp'):
    paths.append(str(tmp_path / name))
    Image.fromarray(IMAGE).save(paths[-1])
    os.utime(paths[-1], (1, 1))
  folder = tmp_path / 'out'

  def open_writer(outputs):
    return writer_lib.PredictionWriter(str(folder), COLORS, NAMES,
                                            writer_lib.Options(outputs))

  def finished(*outputs):
    with open_writer(outputs) as writer:
      return [writer.keep_finished('a', path) for path in paths]

  def label(path, *outputs):
    with open_writer(outputs) as writer:
      writer.write(PICTURE._replace(source=path), LABELS)

  label(paths[0], 'prediction')
  assert finished('prediction') == [True, False]
  assert finished('prediction', 'areas') == [False, False]
  label(paths[0], 'prediction', 'areas')
  assert finished('prediction', 'areas') == [True, False]
  label(paths[1], 'prediction')
  # What areas.json says of the name is no longer that of the files.
  assert finished('prediction', 'areas') == [False, False]
  assert finished('prediction') == [False, True]
  (folder / 'sources.json').unlink()
  (folder / 'areas.json').unlink()
  assert finished('prediction') == [False, False]


def test_areas_tell_the_source_to_runs_without_them(tmp_path):
  source = str(tmp_path / 'a.png')
  Image.fromarray(IMAGE).save(source)
  with writer_lib.PredictionWriter(str(tmp_path), COLORS, NAMES) as writer:
    writer.write(PICTURE._replace(source=source), LABELS)
  assert not (tmp_path / 'sources.json').exists()
  with writer_lib.PredictionWriter(str(tmp_path), COLORS, NAMES,
                                        writer_lib.Options(['prediction'])) as writer:
    assert writer.keep_finished('a', source)
    assert not writer.keep_finished('a', str(tmp_path / 'a.bmp'))


def test_files_that_are_being_replaced_are_of_no_known_source(tmp_path, monkeypatch):
  monkeypatch.setattr(writer_lib.PredictionWriter, '_write', lambda *unused_args: None)
  (tmp_path / 'sources.json').write_text('{"sources": {"a": "other.png", "b": "b.png"}}')
  with writer_lib.PredictionWriter(str(tmp_path), COLORS, NAMES) as writer:
    writer.write(PICTURE, LABELS)
    sources = json.loads((tmp_path / 'sources.json').read_text(encoding='utf-8'))
  assert sources == {'sources': {'a': None, 'b': 'b.png'}}


def test_what_was_done_before_an_error_is_told(tmp_path):
  with pytest.raises(RuntimeError):
    with writer_lib.PredictionWriter(str(tmp_path), COLORS, NAMES) as writer:
      writer.write(PICTURE, LABELS)
      raise RuntimeError('interrupted')
  areas = json.loads((tmp_path / 'areas.json').read_text(encoding='utf-8'))
  assert list(areas['pictures']) == ['a']


def test_long_runs_tell_now_and_then_what_is_done(tmp_path, monkeypatch):
  monkeypatch.setattr(writer_lib, '_NOTES_INTERVAL_SECS', -1)
  with writer_lib.PredictionWriter(str(tmp_path), COLORS, NAMES, writer_lib.Options(),
                                        'run') as writer:
    writer.write(PICTURE, LABELS, None)
    deadline = time.monotonic() + 30
    while not (tmp_path / 'areas.json').exists() and time.monotonic() < deadline:
      time.sleep(0.01)
    areas = json.loads((tmp_path / 'areas.json').read_text(encoding='utf-8'))
    assert list(areas['pictures']) == ['a']


def test_failing_to_write_is_told(tmp_path):
  with pytest.raises(ValueError, match='cannot be written: No such file'):
    with writer_lib.PredictionWriter(str(tmp_path), COLORS, NAMES) as writer:
      writer.write(PICTURE._replace(name='absent/a'), LABELS)


@pytest.mark.parametrize('name', [
    '2007_000033', 'a.b.c', 'seq/001', 'a_b', '.hidden', 'a.png', 'h\u00e9llo', 'n' * 200])
def test_plain_names_stay_as_they_are(name):
  assert writer_lib.safe_name(name) == name.replace('/', os.sep)
  assert writer_lib.safe_name(name.encode('utf-8')) == name.replace('/', os.sep)


@pytest.mark.parametrize('name, path', [
    (b'../../etc/passwd', 'etc/passwd'), (b'/root', 'root'), (b'a\\..\\b', 'a/b'),
    (b'..', 'unnamed'), (b'', 'unnamed'), (b'a:\x00b', 'a__b'), (b'a.png/b', 'a.png_/b')])
def test_names_never_leave_the_folder_and_changed_ones_end_in_a_hash(name, path):
  digest = hashlib.sha256(name).hexdigest()[:12]
  assert writer_lib.safe_name(name) == '%s-%s' % (path.replace('/', os.sep), digest)


def test_different_names_have_different_files():
  names = [b'a:b', b'a?b', b'a_b', b'a', b'./a', b'../a', b'/a', b'a/', b'sub/a', b'sub//a',
           b'sub\\a', b'', b'.', b'unnamed', b'\xff', b'\xfe', b'\xef\xbf\xbd', b'a.png/b',
           b'a.png_/b', b'n' * 201, b'n' * 202, b'n' * 200, b'n' * 201 + b'/a',
           b'n' * 202 + b'/a']
  assert len({writer_lib.safe_name(name) for name in names}) == len(names)


def test_long_names_are_cut_and_stay_different():
  names = [('é' * 300 + end).encode('utf-8') for end in 'ab']
  short = [writer_lib.safe_name(b'sub/' + name) for name in names]
  assert short[0] != short[1]
  for name in short:
    folder, part = os.path.split(name)
    assert folder == 'sub' and part.startswith('ééé') and len(part.encode('utf-8')) <= 200
