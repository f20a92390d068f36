"""Tests of the pictures written from the command line."""
import functools
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from deeplab import model
from deeplab.core import colormaps, feature_extractor
from deeplab.core.images import painting
from deeplab.datasets.records import dataset_info
from deeplab.testing import forked_scripts, slow, tiny_run
from deeplab.utils.inference import tiles as picture_batches

pytestmark = pytest.mark.usefixtures('shallow_network')

SAMPLES = tiny_run.make_samples()


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A folder with records and a checkpoint."""
  return tiny_run.make_run(tmp_path_factory.mktemp('run'), SAMPLES)


def flags_for(run, logdir, *more):
  return ('--dataset_dir=%s/records' % run, '--checkpoint_dir=%s/train' % run,
          '--vis_logdir=%s/%s' % (run, logdir), '--max_number_of_iterations=1',
          '--vis_crop_size=%d,%d' % tiny_run.CROP) + tiny_run.MODEL_FLAGS + more


def read(*path):
  return np.array(Image.open(os.path.join(*[str(part) for part in path])))


def test_program_writes_images_predictions_and_raw_ids(run):
  code, _, log = forked_scripts.run_apart('vis.py', *flags_for(run, 'vis',
                                                          '--also_save_raw_predictions',
                                                          '--save_overlay',
                                                          '--save_confidence'))
  assert code == 0, log
  pictures = run / 'vis' / 'segmentation_results'
  assert str(pictures) in log
  assert sorted(os.listdir(str(pictures))) == sorted(
      '%06d_%s.png' % (i, kind) for i in range(3) for kind in ('image', 'prediction'))
  expected = tiny_run.predict(str(run / 'train' / 'model.ckpt-3'), SAMPLES,
                              feature_extractor.mean_pixel('mobilenet_v2'))
  for index, sample in enumerate(SAMPLES):
    np.testing.assert_array_equal(read(pictures, '%06d_image.png' % index), sample.image)
    confidence = read(run / 'vis' / 'confidence', sample.name + '.png')
    assert confidence.shape == sample.label.shape
    assert confidence.min() >= 63  # the largest of four is a quarter or more
    shown = read(run / 'vis' / 'overlays', '%06d_overlay.png' % index)
    height, width = sample.label.shape
    assert shown.shape[1] > 4 * width
    np.testing.assert_array_equal(shown[:height, :width], sample.image)
    raw = read(run / 'vis' / 'raw_segmentation_results', sample.name + '.png')
    assert raw.shape == sample.label.shape
    assert np.mean(raw == expected[index]) > 0.999
    np.testing.assert_array_equal(read(pictures, '%06d_prediction.png' % index),
                                  np.array(tiny_run.COLORMAP)[raw])


def test_background_is_painted_only_where_that_is_asked(run, tmp_path):
  records = tmp_path / 'records'
  shutil.copytree(str(run / 'records'), str(records))
  info = dataset_info.read(str(records))
  dataset_info.write(info._replace(class_names=['background'] + info.class_names[1:]),
                     str(records))
  line = ('--dataset_dir=%s' % records, '--save_overlay', '--also_save_raw_predictions')
  assert tiny_run.run_main('vis', flags_for(run, 'clear', *line),
                           flags_for(run, 'painted', '--paint_background', *line)) == ['', '']
  # Captions are wider than the samples.
  step = painting.footer(SAMPLES[1].label.shape, 4,
                             ['image', 'label', 'prediction', 'errors in red'])[1]
  height, width = SAMPLES[1].label.shape
  raw = read(run / 'clear' / 'raw_segmentation_results', SAMPLES[1].name + '.png')
  image = SAMPLES[1].image[raw == 0].astype(int)
  assert len(image)
  for folder, expected in (('clear', image), ('painted', (image + tiny_run.COLORMAP[0]) / 2.)):
    sheet = read(run / folder / 'overlays', '000001_overlay.png')
    prediction = sheet[:height, 2 * step:2 * step + width][raw == 0]
    assert np.abs(prediction - expected).max() <= 0.5


def test_batches_colours_and_resizing(run):
  messages = tiny_run.run_main(
      'vis', flags_for(run, 'one', '--also_save_raw_predictions'),
      flags_for(run, 'batch', '--also_save_raw_predictions', '--vis_batch_size=2',
                '--colormap_type=ade20k'),
      flags_for(run, 'resized', '--also_save_raw_predictions', '--vis_batch_size=2',
                '--min_resize_value=25', '--max_resize_value=49', '--vis_crop_size=49,49'),
      flags_for(run, 'own', '--also_save_raw_predictions', '--vis_batch_size=2',
                '--vis_crop_size=', '--min_resize_value=25', '--max_resize_value=49'),
      flags_for(run, 'tiles', '--also_save_raw_predictions', '--vis_batch_size=2',
                '--tile_size=33,41', '--tile_overlap=8', '--save_overlay'))
  assert messages == [''] * 5
  for index, sample in enumerate(SAMPLES):
    one, batch, resized, own, tiles = [
        read(run / name / 'raw_segmentation_results', sample.name + '.png')
        for name in ('one', 'batch', 'resized', 'own', 'tiles')]
    assert np.mean(one == batch) > 0.999
    np.testing.assert_array_equal(
        read(run / 'batch' / 'segmentation_results', '%06d_prediction.png' % index),
        colormaps.colormap('ade20k')[batch])
    for labels in (resized, own, tiles):
      assert labels.shape == sample.label.shape
    for name, error in (('resized', 20), ('own', 20), ('tiles', 0)):
      image = read(run / name / 'segmentation_results', '%06d_image.png' % index)
      assert image.shape == sample.image.shape
      assert np.abs(image.astype(int) - sample.image).mean() <= error
  # One tile holds the first image.
  first = SAMPLES[0]
  expected, = tiny_run.predict(
      str(run / 'train' / 'model.ckpt-3'), [first], feature_extractor.mean_pixel('mobilenet_v2'),
      tiny_run.MODEL_OPTIONS._replace(crop_size=(33, 41)))
  assert np.mean(expected == read(run / 'tiles' / 'raw_segmentation_results',
                                  first.name + '.png')) > 0.999


# Flags of several scales, and the function that they mean.
SCALES = {
    'pyramid': (('--image_pyramid=0.5', '--image_pyramid=1'),
                functools.partial(model.predict_labels, image_pyramid=[0.5, 1.0])),
    'scales': (('--eval_scales=0.75', '--eval_scales=1.25', '--add_flipped_images'),
               functools.partial(model.predict_labels_multi_scale, eval_scales=(0.75, 1.25),
                                 add_flipped_images=True)),
}
TILE, OVERLAP = (33, 49), 8


@slow.only_if_asked_on_tf1
def test_several_scales_at_own_size_and_in_tiles(run):
  """As the network says of each image, or tile, alone."""
  lines = []
  for kind, (flags, _) in sorted(SCALES.items()):
    flags += ('--also_save_raw_predictions', '--vis_batch_size=2')
    lines += [flags_for(run, kind + '_own', '--vis_crop_size=', *flags),
              flags_for(run, kind + '_tiles', '--tile_size=%d,%d' % TILE,
                        '--tile_overlap=%d' % OVERLAP, *flags)]
  assert tiny_run.run_main('vis', *lines) == [''] * len(lines)
  predict = functools.partial(tiny_run.predict, str(run / 'train' / 'model.ckpt-3'), SAMPLES,
                              feature_extractor.mean_pixel('mobilenet_v2'))
  plain = predict(tiny_run.MODEL_OPTIONS._replace(crop_size=None))
  for kind, (_, function) in SCALES.items():
    own = predict(tiny_run.MODEL_OPTIONS._replace(crop_size=None), function)
    tiles = predict(tiny_run.MODEL_OPTIONS._replace(crop_size=TILE), function,
                    lambda size: picture_batches.tile_regions(size, TILE, OVERLAP))
    # The scales do something, and so do the tiles.
    assert any(np.mean(a != b) > 0.02 for a, b in zip(own, plain))
    assert any(np.mean(a != b) > 0.002 for a, b in zip(own, tiles))
    for folder, expected in ((kind + '_own', own), (kind + '_tiles', tiles)):
      for sample, labels in zip(SAMPLES, expected):
        raw = read(run / folder / 'raw_segmentation_results', sample.name + '.png')
        assert raw.shape == labels.shape
        assert np.mean(raw == labels) > 0.999, folder


def test_finished_images_are_not_done_again(run):
  """The record of progress is made by hand: an interruption comes when it likes."""
  line = flags_for(run, 'resumed')
  tiny_run.run_main('vis', line)
  folder = run / 'resumed'
  # The settings, as a run that fails at its first image leaves them.
  picture = folder / 'segmentation_results' / '000000_image.png'
  picture.unlink()
  picture.mkdir()
  message, = tiny_run.run_main('vis', line)
  assert '.tmp cannot be written: Is a directory' in message
  progress = json.loads((folder / 'progress.json').read_text())
  assert progress['num_finished'] == 0
  (folder / 'progress.json').write_text(json.dumps(dict(progress, num_finished=1, others=[1])))
  picture.rmdir()
  (folder / 'segmentation_results' / '000002_image.png').unlink()
  assert tiny_run.run_main('vis', line) == ['']
  assert not picture.exists()
  assert (folder / 'segmentation_results' / '000002_image.png').exists()
  assert not (folder / 'progress.json').exists()


def test_bad_input_is_told_in_one_line(run):
  cases = [
      (['--vis_split=test'], "'test'"),
      (['--vis_crop_size=33,65'], '--vis_crop_size=33,65 is smaller than images'),
      (['--decoder_output_stride=4'], 'Check --decoder_output_stride'),
      (['--quantize_delay_step=10'], 'trained in floats: leave out --quantize'),
      (['--vis_logdir=%s/train/checkpoint/x' % run],
       '/train/checkpoint/x cannot be used for results: Not a directory'),
      (['--checkpoint_dir=%s/train/model.ckpt-9' % run], 'model.ckpt-9: no such checkpoint'),
      (['--checkpoint_dir=%s/records' % run, '--eval_timeout_secs=0.1'],
       'Waited 0.1 s for a first checkpoint'),
  ]
  messages = tiny_run.run_main('vis', *[flags_for(run, 'bad', *flags) for flags, _ in cases])
  for (flags, expected), message in zip(cases, messages):
    assert expected in message, (flags, message)
