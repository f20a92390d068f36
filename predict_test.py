"""Tests of labelling pictures from the command line."""
import io
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from deeplab import model
from deeplab.core import feature_extractor
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.deployment import inference
from deeplab.deployment.graphs import record
from deeplab.testing import forked_scripts, tiny_run

pytestmark = pytest.mark.usefixtures('shallow_network')


@pytest.fixture(scope='module')
def model_path(tmp_path_factory):
  """A graph whose labels are red // 100."""
  path = str(tmp_path_factory.mktemp('model') / 'graph.pb')
  with tf.Graph().as_default() as graph, open(path, 'wb') as f:
    image = tf.placeholder(tf.uint8, [1, None, None, 3], name=record.INPUT_NAME)
    tf.cast(image[..., 0] // 100, tf.int32, name=record.OUTPUT_NAME)
    f.write(graph.as_graph_def().SerializeToString())
  record.write_record(path, {'class_names': ['sky', 'road', 'car'],
                           'colormap': [[0, 0, 0], [100, 0, 0], [0, 50, 250]]})
  return path


def test_folder_of_pictures_good_and_bad(tmp_path, model_path):
  folder, results = tmp_path / 'in', tmp_path / 'out'
  folder.mkdir()
  pixels = np.zeros([4, 10, 3], np.uint8)
  pixels[:, 3:, 0] = 210
  Image.fromarray(pixels).save(str(folder / 'a.png'))
  Image.fromarray(pixels[..., 0]).save(str(folder / 'grey.png'))
  turned = io.BytesIO()
  exif = Image.Exif()
  exif[0x0112] = 6  # to be turned by a quarter
  Image.fromarray(np.full([8, 16, 3], 120, np.uint8)).save(turned, 'JPEG', exif=exif)
  (folder / 'a.jpg').write_bytes(turned.getvalue())
  (folder / 'broken.jpg').write_bytes(turned.getvalue()[:200])
  (folder / 'notes.txt').write_text('no picture')

  code, printed, log = forked_scripts.run_apart(
      'predict.py', '--model=' + model_path, '--input=%s' % folder,
      '--output_dir=%s' % results)

  assert code == 3, log
  assert '%s: car 70.0%%, sky 30.0%%\n' % (folder / 'a.png') in printed
  assert '%s: road 100.0%%\n' % (folder / 'a.jpg') in printed
  assert 'broken.jpg: not a readable picture' in log.split('Not labelled:')[1]
  assert '3 of 4 pictures labelled' in log
  written = sorted(path.name for path in results.iterdir())
  assert written == sorted(['areas.json'] + [
      stem + ending for stem in ('a', 'a_png', 'grey')
      for ending in ('_prediction.png', '_color.png', '_overlay.png')])

  def read(name):
    return np.array(Image.open(str(results / name)))

  expected = np.where(pixels[..., 0] == 210, 2, 0)
  np.testing.assert_array_equal(read('a_png_prediction.png'), expected)
  np.testing.assert_array_equal(read('a_png_color.png')[0, [0, -1]], [[0, 0, 0], [0, 50, 250]])
  overlay = read('a_png_overlay.png')
  np.testing.assert_array_equal(overlay[0, [0, 9]], [[0, 0, 0], [105, 25, 125]])
  # The legend below has the colour itself.
  assert (overlay[4:] == [0, 50, 250]).all(axis=2).any()
  assert read('a_prediction.png').shape == (16, 8)


@pytest.mark.parametrize('recorded, flags, expected', [
    (None, [], None),
    (None, ['--image_range=0,1023'], [0, 1, 2]),
    ([0, 1023], [], [0, 1, 2]),
    ([0, 1023], ['--image_range=0,65535'], [0, 0, 0]),
])
def test_pictures_of_more_than_8_bits_are_scaled_as_those_of_the_training(
    tmp_path, model_path, recorded, flags, expected):
  model = str(tmp_path / 'graph.pb')
  shutil.copy(model_path, model)
  record.write_record(model, {'class_names': None, 'colormap': None, 'image_range': recorded})
  values = np.array([[10, 402, 1000]])
  Image.fromarray(values.astype(np.uint16)).save(str(tmp_path / 'grey.png'))
  (tmp_path / 'color.png').write_bytes(tiny_run.wide_png(np.repeat(values[..., None], 3, 2)))
  Image.fromarray((values * 255 // 1023).astype(np.uint8)).save(str(tmp_path / '8bit.png'))
  code, _, log = forked_scripts.run_apart(
      'predict.py', '--model=' + model, '--input=%s' % (tmp_path / '*.png'), *flags,
      '--output_dir=%s' % (tmp_path / 'out'), '--outputs=prediction')

  def labels(name):
    return np.array(Image.open(str(tmp_path / 'out' / (name + '_prediction.png')))).tolist()

  assert labels('8bit') == [[0, 1, 2]]
  if expected is None:
    assert code == 3
    assert log.split('Not labelled:')[1].count(
        'its values are 10..1000, which do not fill the 0..65535 of 16 bits') == 2
  else:
    assert code == 0, log
    assert labels('grey') == labels('color') == [expected]


def test_a_damaged_range_of_an_export_is_told(tmp_path, model_path):
  model = str(tmp_path / 'graph.pb')
  shutil.copy(model_path, model)
  record.write_record(model, {'class_names': None, 'colormap': None, 'image_range': [9, 1]})
  with pytest.raises(ValueError, match=r'export.json: image_range is \[9, 1\], expected null or'):
    inference.Segmenter(model)


def test_of_a_batch_that_fails_only_pictures_that_fail_alone_are_left_out(tmp_path):
  path, folder = str(tmp_path / 'graph.pb'), tmp_path / 'in'
  with tf.Graph().as_default() as graph, open(path, 'wb') as f:
    images = tf.placeholder(tf.uint8, [None, None, None, 3], name=record.INPUT_NAME)
    reds = images[..., 0]
    with tf.control_dependencies([tf.Assert(tf.shape(images)[0] < 2, ['too many'])]):
      not_too_red = tf.Assert(tf.reduce_max(reds) < 250, ['too red'])
    with tf.control_dependencies([not_too_red]):
      tf.cast(reds // 100, tf.int32, name=record.OUTPUT_NAME)
    f.write(graph.as_graph_def().SerializeToString())
  folder.mkdir()
  for name, red in (('a', 120), ('b', 255), ('c', 20), ('d', 255)):
    Image.fromarray(np.full([4, 4, 3], red, np.uint8)).save(str(folder / (name + '.png')))

  code, printed, log = forked_scripts.run_apart(
      'predict.py', '--model=' + path, '--input=%s' % folder, '--batch_size=3',
      '--output_dir=%s' % (tmp_path / 'out'), '--outputs=prediction')

  assert code == 3, log
  assert [line.split(': ')[0] for line in printed.splitlines()] == [
      str(folder / name) for name in ('a.png', 'c.png')]
  bad = log.split('Not labelled:\n')[1].splitlines()[:2]
  for line, name in zip(bad, 'bd'):
    assert line.startswith('%s: The model fails on 1 image(s) of 4x4: ' % (
        folder / (name + '.png')))
  assert log.count('too many') == 1
  assert '2 of 4 pictures labelled' in log
  assert sorted(os.listdir(str(tmp_path / 'out'))) == [
      'a_prediction.png', 'c_prediction.png', 'sources.json']


def test_names_and_colours_are_those_of_the_dataset_that_is_named(tmp_path, model_path):
  shutil.copy(model_path, str(tmp_path / 'graph.pb'))  # Without its record.
  picture = tmp_path / 'a.png'
  Image.fromarray(np.full([4, 10, 3], 210, np.uint8)).save(str(picture))
  code, printed, log = forked_scripts.run_apart(
      'predict.py', '--model=%s' % (tmp_path / 'graph.pb'), '--input=%s' % picture,
      '--output_dir=%s' % (tmp_path / 'out'), '--dataset=pascal_voc_seg', '--batch_size=4')
  assert code == 0, log
  assert printed == '%s: bicycle 100.0%%\n' % picture
  assert 'graph.pb takes one picture at a time: --batch_size=4 makes nothing faster.' in log
  assert read(str(tmp_path / 'out'), 'a_color.png')[0, 0].tolist() == [0, 128, 0]

  (tmp_path / 'run').mkdir()
  tiny_run.write_run(tmp_path / 'run', tiny_run.make_samples()[0].image,
                     tiny_run.MODEL_OPTIONS._replace(outputs_to_num_classes={'semantic': 19}))
  assert tiny_run.run_main('predict', [
      '--checkpoint_dir=%s' % (tmp_path / 'run'), '--input=%s' % picture, '--outputs=areas',
      '--output_dir=%s' % (tmp_path / 'street'), '--dataset=cityscapes']) == ['']
  with open(str(tmp_path / 'street' / 'areas.json'), encoding='utf-8') as f:
    found = json.load(f)['pictures']['a']['classes']
  names = registry.DATASETS['cityscapes'].class_names
  assert found and all(each['name'] == names[each['id']] for each in found)


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A run's folder: train/ with a tiny checkpoint and its run.json."""
  folder = tmp_path_factory.mktemp('run')
  (folder / 'train').mkdir()
  sample = tiny_run.make_samples()[0]
  checkpoint = tiny_run.write_run(folder / 'train', sample.image)
  return str(folder), checkpoint


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  """A folder of pictures, two of one size, and the samples they show."""
  folder = tmp_path_factory.mktemp('photos')
  samples = tiny_run.make_samples(((33, 41), (49, 65), (33, 41)))
  for index, sample in enumerate(samples):
    Image.fromarray(sample.image).save(str(folder / ('%d.png' % index)))
  return str(folder), samples


def read(folder, name):
  return np.array(Image.open(os.path.join(folder, name)))


def check_results(folder, index, expected):
  """Checks all files of a picture against its labels, those of the cutout being 1 and 3."""
  np.testing.assert_array_equal(read(folder, '%d_prediction.png' % index), expected)
  np.testing.assert_array_equal(read(folder, '%d_color.png' % index),
                                np.array(tiny_run.COLORMAP)[expected])
  with np.load('%s/%d_probabilities.npz' % (folder, index)) as stored:
    assert stored['probabilities'].shape == expected.shape + (4,)
    # Halves of float16 may tie.
    assert (stored['probabilities'].argmax(axis=2) == expected).mean() > 0.99
  np.testing.assert_array_equal(read(folder, '%d_cutout.png' % index)[..., 3] == 255,
                                (expected == 1) | (expected == 3))


def test_checkpoint_labels_pictures_as_its_run_says(tmp_path, run, photos):
  whole, tiles, scales = [str(tmp_path / name) for name in 'wts']
  messages = tiny_run.run_main(
      'predict',
      ['--checkpoint_dir=' + run[0], '--input=' + photos[0], '--output_dir=' + whole,
       '--batch_size=2', '--save_probabilities', '--cutout_classes=tree,3'],
      ['--checkpoint_dir=%s/train' % run[0], '--input=' + photos[0], '--output_dir=' + tiles,
       '--tile_size=33,49', '--tile_overlap=16', '--batch_size=2', '--outputs=prediction',
       '--save_probabilities'],
      ['--checkpoint_dir=' + run[1], '--input=%s/1.png' % photos[0], '--output_dir=' + scales,
       '--inference_scales=0.5', '--inference_scales=1'])
  assert messages == [''] * 3

  mean = feature_extractor.mean_pixel('mobilenet_v2')
  for size, indices in (((33, 49), (0, 2)), ((49, 65), (1,))):
    labels = tiny_run.predict(run[1], [photos[1][i] for i in indices], mean,
                              tiny_run.MODEL_OPTIONS._replace(crop_size=size))
    for index, expected in zip(indices, labels):
      check_results(whole, index, expected)
  with open(os.path.join(whole, 'areas.json'), encoding='utf-8') as f:
    areas = json.load(f)['pictures']
  assert sorted(areas) == ['0', '1', '2']
  assert sum(each['pixels'] for each in areas['1']['classes']) == 49 * 65

  # One tile holds the pictures 0 and 2; the other one is put together.
  np.testing.assert_array_equal(read(tiles, '0_prediction.png'), read(whole, '0_prediction.png'))
  assert read(tiles, '1_prediction.png').shape == (49, 65)
  assert (read(tiles, '1_prediction.png') == read(whole, '1_prediction.png')).mean() > 0.3
  expected = _mean_of_scales(run[1], photos[1][1].image)
  assert (read(scales, '1_prediction.png') == expected).mean() > 0.999


def _mean_of_scales(checkpoint, image):
  with tf.Graph().as_default(), tf.Session() as session:
    labels = model.predict_labels_multi_scale(
        tf.constant(image[np.newaxis], tf.float32), tiny_run.MODEL_OPTIONS, (0.5, 1.))
    tf.train.Saver().restore(session, checkpoint)
    return session.run(labels['semantic'])[0]


def test_finished_pictures_are_left_out_if_asked(tmp_path, model_path):
  picture = tmp_path / 'a.png'
  Image.fromarray(np.full((4, 4, 3), 120, np.uint8)).save(str(picture))
  kept, redone, missing = [str(tmp_path / name) for name in 'krm']
  flags = ['--model=' + model_path, '--input=%s' % picture]
  plain = ['--overlay_opacity=0']
  messages = tiny_run.run_main(
      'predict',
      flags + ['--output_dir=' + kept],
      flags + ['--output_dir=' + kept, '--skip_existing'] + plain,
      flags + ['--output_dir=' + redone],
      flags + ['--output_dir=' + redone] + plain,
      flags + ['--output_dir=' + missing],
      flags + ['--output_dir=' + missing, '--skip_existing', '--cutout_classes=0'] + plain)
  assert messages == [''] * 6
  reds = [np.array(Image.open('%s/a_overlay.png' % folder))[0, 0, 0]
          for folder in (kept, redone, missing)]
  assert reds == [110, 120, 120]
  with open('%s/areas.json' % kept, encoding='utf-8') as f:
    assert list(json.load(f)['pictures']) == ['a']


def test_results_of_another_picture_of_the_same_name_are_not_left_as_they_are(tmp_path,
                                                                              model_path):
  folder, results = tmp_path / 'in', tmp_path / 'out'
  folder.mkdir()
  flags = ['--model=' + model_path, '--input=%s' % folder, '--output_dir=%s' % results,
           '--outputs=prediction']
  for name, red in (('a.png', 120), ('a.bmp', 210)):
    Image.fromarray(np.full((4, 4, 3), red, np.uint8)).save(str(folder / name))
    # Older than any results, as a picture that is moved here.
    os.utime(str(folder / name), (1, 1))
    assert tiny_run.run_main('predict', flags + ['--skip_existing']) == ['']
  for name, label in (('a', 2), ('a_png', 1)):
    assert (np.array(Image.open(str(results / (name + '_prediction.png')))) == label).all()


def test_large_pictures_are_shrunk_for_the_network_if_asked(tmp_path, model_path):
  pixels = np.zeros((3, 1400, 3), np.uint8)
  pixels[:, 700:] = 210
  Image.fromarray(pixels).save(str(tmp_path / 'été.png'))
  flags = ['--model=' + model_path, '--input=%s' % (tmp_path / 'été.png'), '--outputs=prediction',
           '--output_dir=%s' % (tmp_path / 'out')]
  assert tiny_run.run_main('predict', flags + ['--longest_side=100']) == ['']
  np.testing.assert_array_equal(read(str(tmp_path / 'out'), 'été_prediction.png'),
                                pixels[..., 0] // 100)


@pytest.fixture
def picture(tmp_path):
  """The path of a picture in a folder with what is no picture or model."""
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'text.pb').write_text('no model')
  for name in ('a.png', 'a_color.png'):
    Image.fromarray(np.zeros([4, 4, 3], np.uint8)).save(str(tmp_path / name))
  return tmp_path / 'a.png'


def test_unusable_command_lines_are_told(tmp_path, picture, model_path, run):
  inputs = ['--input=%s' % picture, '--output_dir=%s' % (tmp_path / 'out')]
  exported_model, trained = ['--model=' + model_path], ['--checkpoint_dir=' + run[0]]
  cases = [
      (exported_model + ['--input=%s/*.gif' % tmp_path],
       'no such file or folder, and the pattern matches none'),
      (exported_model + ['--input=%s/empty' % tmp_path], 'the folder holds no pictures'),
      (['--model=absent.pb'] + inputs, 'Cannot read the model absent.pb'),
      (['--model=%s/text.pb' % tmp_path] + inputs, 'text.pb is not a frozen graph'),
      (['--model=%s/empty' % tmp_path] + inputs, 'is no SavedModel'),
      (exported_model + inputs + ['--output_dir=%s/x' % picture],
       '--output_dir=%s/x cannot be used for results: Not a directory' % picture),
      (inputs, 'Pass either --checkpoint_dir=RUN/train or --model='),
      (exported_model + trained + inputs, 'Pass either --checkpoint_dir=RUN/train or --model='),
      (exported_model + inputs + ['--eval_scales=0.5'], '--eval_scales has no effect on'),
      (exported_model + inputs + ['--tile_size=9,9'], '--tile_size has no effect on'),
      (exported_model + inputs + ['--longest_side=9', '--save_probabilities'],
       '--longest_side cannot be combined with'),
      (exported_model + inputs + ['--outputs=colour'], '--outputs=colour: no such output'),
      (exported_model + inputs + ['--outputs=color', '--paint_background'],
       '--paint_background has no effect: it is for --outputs=overlay'),
      (exported_model + inputs + ['--outputs='], '--outputs is empty: nothing would be written.'),
      (exported_model + inputs + ['--save_probabilities'], 'graph.pb has none. Export it with'),
      (exported_model + inputs + ['--cutout_classes=sky,cat'],
       "--cutout_classes: No class 'cat'. The classes: 0 sky, 1 road, 2 car."),
      (['--checkpoint_dir=%s/empty' % tmp_path] + inputs, 'the folder holds no checkpoint'),
      (['--checkpoint_dir=absent'] + inputs, '--checkpoint_dir=absent: no such checkpoint'),
      (trained + inputs + ['--depth_multiplier=0.5'],
       '--depth_multiplier=0.5, but the checkpoint was trained with --depth_multiplier=0.25'),
      (trained + inputs + ['--dataset=cityscapes'],
       '--dataset=cityscapes has 19 classes, the model has 4'),
      (trained + inputs + ['--tile_size=33,33', '--tile_overlap=8', '--min_resize_value=20'],
       '--tile_size cannot be combined with --min_resize_value'),
      (trained + inputs + ['--tile_size=33,33', '--tile_overlap=33'],
       'overlap of tiles must be from 0 to less'),
      (exported_model + ['--input=%s' % picture, '--input=%s' % (tmp_path / 'a_color.png'),
                         '--output_dir=%s' % tmp_path],
       'the results of %s would replace the input' % picture),
      (trained + inputs + ['--eval_scales=-1'], '--eval_scales must be positive'),
  ]
  messages = tiny_run.run_main('predict', *[line for line, _ in cases])
  for (line, expected), message in zip(cases, messages):
    assert expected in message, line
    assert '\n' not in message
