"""Tests of evaluation from the command line, against predictions counted with numpy."""
import functools
import glob
import json
import os
import shutil

import numpy as np
import pytest

from deeplab import model
from deeplab.core import feature_extractor
from deeplab.core.tf_compat import tf
from deeplab.evaluation.semantic import image_results, segmentation_metrics
from deeplab.testing import forked_scripts, slow, tiny_run
from deeplab.utils.inference import tiles as picture_batches
from deeplab.utils.runs import run_record

pytestmark = pytest.mark.usefixtures('shallow_network')

SAMPLES = tiny_run.make_samples()


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A folder with records, checkpoints and the results of evaluations."""
  return tiny_run.make_run(tmp_path_factory.mktemp('run'), SAMPLES)


def flags_for(run, logdir, *more):
  return ('--dataset_dir=%s/records' % run, '--checkpoint_dir=%s/train' % run,
          '--eval_logdir=%s/%s' % (run, logdir), '--max_number_of_evaluations=1',
          '--eval_crop_size=%d,%d' % tiny_run.CROP) + tiny_run.MODEL_FLAGS + more


def read_metrics(run, logdir):
  with open(str(run / logdir / 'metrics.json')) as f:
    return json.load(f)


def expected_counts(checkpoint, crop_size=tiny_run.CROP, **kwargs):
  """Returns the counts of the samples padded to a crop size; None: to 16 k + 1 each."""
  predictions = tiny_run.predict(checkpoint, SAMPLES,
                                 feature_extractor.mean_pixel('mobilenet_v2'),
                                 tiny_run.MODEL_OPTIONS._replace(crop_size=crop_size), **kwargs)
  return sum(segmentation_metrics.confusion_matrix(sample.label, prediction, 4)
             for sample, prediction in zip(SAMPLES, predictions))


@pytest.fixture(scope='module')
def evaluated(run):
  """The log of the program, whose results are in the folder eval of the run."""
  code, _, log = forked_scripts.run_apart('eval.py', *flags_for(run, 'eval', '--eval_batch_size=2'))
  assert code == 0, log
  return log


def test_program_writes_and_shows_the_metrics_of_the_newest_checkpoint(run, evaluated):
  metrics = read_metrics(run, 'eval')
  counts = expected_counts(str(run / 'train' / 'model.ckpt-3'))
  assert np.sum(counts > 0) > 6
  assert np.abs(np.array(metrics['confusion_matrix']) - counts).sum() <= 2  # tips of ties
  assert metrics['miou'] == pytest.approx(segmentation_metrics.mean_iou(counts), abs=1e-3)
  assert metrics['num_examples'] == len(SAMPLES)
  assert metrics['global_step'] == 3
  assert metrics['checkpoint'] == str(run / 'train' / 'model.ckpt-3')
  assert [c['name'] for c in metrics['classes']] == tiny_run.CLASS_NAMES
  assert 'house' in evaluated
  assert 'pixel accuracy' in evaluated

  rows, names = image_results.read_per_image(str(run / 'eval'))
  assert names == tiny_run.CLASS_NAMES
  assert [row.name for row in rows] == [sample.name for sample in SAMPLES]
  matrix = np.array(metrics['confusion_matrix'])
  np.testing.assert_array_equal(sum(row.counts for row in rows),
                                [np.diagonal(matrix), matrix.sum(1), matrix.sum(0)])
  assert 0 < metrics['boundary_iou'] < 1
  assert [row['width_px'] for row in metrics['trimap_miou']] == [1, 2, 4, 8, 16, 32]
  for name in ('per_class.csv', 'confusion_matrix.png', 'per_class_iou.png', 'report.html'):
    assert (run / 'eval' / name).exists()

  events, = glob.glob(str(run / 'eval' / 'events*'))
  values = {value.tag: value.simple_value for event in tf.train.summary_iterator(events)
            for value in event.summary.value}
  assert values['miou_1.0'] == pytest.approx(metrics['miou'])
  assert values['eval/miou_1.0_class_2'] == pytest.approx(metrics['classes'][2]['iou'])
  assert values['eval/pixel_accuracy'] == pytest.approx(metrics['pixel_accuracy'])


def test_images_of_their_own_size_and_tiles(run, evaluated):
  """One tile that holds an image is the whole image."""
  without_pages = '--noper_image_report'
  messages = tiny_run.run_main(
      'eval',
      flags_for(run, 'tile', '--tile_size=49,65', '--tile_overlap=8'),
      flags_for(run, 'tiles', '--tile_size=33,33', '--tile_overlap=8', '--eval_batch_size=2'),
      flags_for(run, 'own', '--eval_crop_size=', '--eval_batch_size=2', without_pages),
      flags_for(run, 'resized', '--eval_crop_size=', '--min_resize_value=33',
                '--max_resize_value=49', '--add_flipped_images', without_pages),
      flags_for(run, 'odd', '--tile_size=33,33', '--tile_overlap=33'))
  assert messages[:4] == [''] * 4
  plain, tile, tiles, own, resized = [read_metrics(run, name) for name in (
      'eval', 'tile', 'tiles', 'own', 'resized')]
  assert tile['confusion_matrix'] == own['confusion_matrix']
  for other in (tiles, own):
    assert other['num_examples'] == len(SAMPLES)
    assert [c['label_pixels'] for c in other['classes']] == [
        c['label_pixels'] for c in plain['classes']]
  expected = expected_counts(str(run / 'train' / 'model.ckpt-3'), crop_size=None)
  assert np.abs(np.array(own['confusion_matrix']) - expected).sum() <= 4
  rows, _ = image_results.read_per_image(str(run / 'tiles'))
  np.testing.assert_array_equal(sum(row.counts for row in rows)[0],
                                np.diagonal(tiles['confusion_matrix']))
  assert resized['tag'] == 'miou_1.0_flipped'
  # 33x41, 33x44 and 40x33 pixels, a tenth of them ignored.
  assert 0.85 < resized['num_pixels'] / (33 * 41 + 33 * 44 + 40 * 33) < 0.95
  assert 'The overlap of tiles must be from 0 to less than their size 33,33' in messages[4]


def test_a_split_test_is_evaluated_if_it_has_labels(run, evaluated, tmp_path):
  for name in ('with', 'without'):
    (tmp_path / name).mkdir()
    tiny_run.write_records(str(tmp_path / name), SAMPLES, 'test', has_labels=name == 'with')
  messages = tiny_run.run_main('eval', *[
      flags_for(run, 'test', '--eval_split=test', '--noper_image_report',
                '--dataset_dir=%s' % (tmp_path / name)) for name in ('with', 'without')])
  assert messages[0] == ''
  assert read_metrics(run, 'test')['confusion_matrix'] == read_metrics(
      run, 'eval')['confusion_matrix']
  assert "Split 'test' in %s/without has no labels to evaluate on" % tmp_path in messages[1]


@pytest.mark.parametrize('flags, predict', [
    (('--image_pyramid=0.5', '--image_pyramid=1'),
     functools.partial(model.predict_labels, image_pyramid=[0.5, 1.0])),
    (('--eval_scales=0.75', '--eval_scales=1.25', '--add_flipped_images'),
     functools.partial(model.predict_labels_multi_scale, eval_scales=(0.75, 1.25),
                       add_flipped_images=True)),
])
@slow.only_if_asked_on_tf1
def test_several_scales_at_own_size_and_in_tiles(run, flags, predict):
  """What the network says of each image, or tile, alone is what is counted."""
  flags += ('--noper_image_report', '--eval_batch_size=2')
  tile, overlap = (33, 49), 8
  assert tiny_run.run_main(
      'eval', flags_for(run, 'own_scales', '--eval_crop_size=', *flags),
      flags_for(run, 'tile_scales', '--tile_size=%d,%d' % tile, '--tile_overlap=%d' % overlap,
                *flags)) == ['', '']
  checkpoint = str(run / 'train' / 'model.ckpt-3')
  own = expected_counts(checkpoint, None, predict_labels=predict)
  tiles = expected_counts(checkpoint, tile, predict_labels=predict,
                          tiles=lambda size: picture_batches.tile_regions(size, tile, overlap))
  assert np.abs(own - tiles).sum() > 20
  assert np.abs(own - expected_counts(checkpoint, None)).sum() > 100
  for name, expected in (('own_scales', own), ('tile_scales', tiles)):
    metrics = read_metrics(run, name)
    assert np.abs(np.array(metrics['confusion_matrix']) - expected).sum() <= 8  # tips of ties


_DELETING_EVAL = """
import glob, os, sys
from absl import flags
from deeplab import eval
count_pixels = eval.counting.count_pixels

def count_and_delete(graph, checkpoint, *arguments):
  counts = count_pixels(graph, checkpoint, *arguments)
  for path in glob.glob(checkpoint + '.*'):
    os.remove(path)
  return counts

eval.counting.count_pixels = count_and_delete
flags.FLAGS(sys.argv)
eval.main([])
"""


def test_results_are_kept_if_the_checkpoint_is_deleted_meanwhile(run, tmp_path):
  tiny_run.write_run(tmp_path, SAMPLES[0].image)
  code, _, log = forked_scripts.run_code(_DELETING_EVAL, *flags_for(
      run, 'deleted', '--checkpoint_dir=%s' % tmp_path, '--noper_image_report'))
  assert code == 0, log
  assert not list(tmp_path.glob('*.index'))
  assert read_metrics(run, 'deleted')['global_step'] == 3


def test_which_checkpoints_and_what_is_kept(run, tmp_path):
  """A prefix, the newest, none yet, and the network that run.json tells of."""
  train = tmp_path / 'train'
  train.mkdir()
  for path in glob.glob(str(run / 'train' / 'model.ckpt-3.*')):
    for step in (3, 5):
      shutil.copy(path, str(train / os.path.basename(path).replace('-3.', '-%d.' % step)))
  # What tiny_run.MODEL_FLAGS say.
  run_record.write(str(train), {'model_variant': 'mobilenet_v2', 'depth_multiplier': 0.25,
                                'output_stride': 16, 'add_image_level_feature': False})
  shared = ('--dataset_dir=%s/records' % run, '--noper_image_report', '--also_save_best',
            '--eval_logdir=%s' % (tmp_path / 'eval'), '--eval_crop_size=%d,%d' % tiny_run.CROP)
  newest = ('--eval_once', '--checkpoint_dir=%s' % train)
  code, _, log = forked_scripts.run_apart('eval.py', *(shared + newest))
  assert code == 0, log
  assert '--add_image_level_feature=False --depth_multiplier=0.25' in log
  metrics = json.loads((tmp_path / 'eval' / 'metrics.json').read_text())
  assert metrics['checkpoint'] == str(train / 'model.ckpt-5')
  assert 'boundary_iou' not in metrics
  assert not (tmp_path / 'eval' / 'report.html').exists()
  # The best checkpoint takes the record along.
  best = tmp_path / 'eval' / 'best'
  assert (best / 'model.ckpt-5.index').exists()
  assert run_record.read(str(best / 'model.ckpt-5')) == run_record.read(str(train))

  messages = tiny_run.run_main(
      'eval', shared + ('--checkpoint_dir=%s/model.ckpt-3' % train,),
      shared + newest + ('--depth_multiplier=0.7',),
      flags_for(run, 'none', '--eval_once', '--checkpoint_dir=%s/records' % run),
      flags_for(run, 'late', '--eval_timeout_secs=0.1', '--checkpoint_dir=%s/records' % run))
  assert messages[0] == ''
  metrics = json.loads((tmp_path / 'eval' / 'metrics.json').read_text())
  assert metrics['checkpoint'] == str(train / 'model.ckpt-3')
  assert not (best / 'model.ckpt-3.index').exists()  # as good, not better
  assert '--depth_multiplier=0.7, but the checkpoint was trained with' in messages[1]
  assert 'the folder holds no checkpoint' in messages[2]
  assert 'Waited 0.1 s for a first checkpoint in %s/records' % run in messages[3]
  # Nothing is left of what could not begin.
  assert not (run / 'none').exists() and not (run / 'late').exists()


def make_unusable(folder):
  """Makes folders of records and checkpoints that cannot be used; returns the broken shard."""
  broken, cut, empty, other = [folder / name for name in ('broken', 'cut', 'empty', 'other')]
  for each in (broken, cut, empty, other):
    each.mkdir()
  tiny_run.write_records(str(cut), SAMPLES, cut_image=1)
  with open(tiny_run.write_records(str(empty), SAMPLES), 'wb'):
    pass
  path = tiny_run.write_records(str(broken), SAMPLES)
  with open(path, 'r+b') as f:
    f.seek(os.path.getsize(path) // 2)
    f.write(b'\xff' * 8)
  tiny_run.write_checkpoint(other, SAMPLES[1].image, tiny_run.MODEL_OPTIONS._replace(
      outputs_to_num_classes={'semantic': 7}))
  return path


def test_bad_input_is_told_in_one_line(run, tmp_path):
  path = make_unusable(tmp_path)
  cases = [
      (['--eval_split=test'], "'test'"),
      (['--dataset=cityscapes'], "Dataset 'cityscapes' has num_classes=19"),
      (['--dataset_dir=%s/absent' % tmp_path], 'absent'),
      (['--checkpoint_dir=%s/other' % tmp_path],
       'logits/semantic/weights is [1,1,256,7] in the checkpoint, [1,1,256,4] here'),
      (['--model_variant=mobilenet_v9'], 'mobilenet_v9'),
      (['--eval_crop_size=49'], '--eval_crop_size must be two positive integers'),
      (['--eval_crop_size=33,65'], '--eval_crop_size=33,65 is smaller than images of split '
                                   "'val'"),
      (['--min_resize_value=60'], 'Record tiny/000: the image is 60x75 (height x width), more '
                                  'than the crop size 49,65 holds'),
      (['--dataset_dir=%s/broken' % tmp_path], os.path.basename(path)),
      (['--dataset_dir=%s/empty' % tmp_path], 'is empty (0 bytes): build or copy it again'),
      (['--dataset_dir=%s/cut' % tmp_path], 'tiny/001'),
      (['--dataset_dir=%s/cut' % tmp_path, '--skip_data_check', '--eval_crop_size='],
       'Record tiny/001: the image cannot be decoded (the PNG file is cut off or '
       'damaged). It is record 1 of'),
      (['--model_variant=resnet_v1_50', '--depth_multiplier=1'],
       'not in the checkpoint: resnet_v1_50/'),
      (['--checkpoint_dir=%s/other/model.ckpt-9' % tmp_path],
       'model.ckpt-9: no such checkpoint; there are model.ckpt-3'),
      (['--tile_size=33,33', '--tile_overlap=8', '--image_pooling_crop_size=49,49',
        '--add_image_level_feature'],
       '--tile_size=33,33 is smaller than the window of image pooling'),
      (['--quantize_delay_step=0'], 'trained in floats: leave out --quantize_delay_step'),
      (['--eval_logdir=%s/x' % path], '--eval_logdir=%s/x cannot be used for results' % path),
      (['--master=grpc://x'], '--master=grpc://x'),
      (['--eval_scales=0'], '--eval_scales must be positive'),
      (['--image_pyramid=1', '--add_flipped_images'], '--image_pyramid cannot be combined'),
  ]
  messages = tiny_run.run_main('eval', *[flags_for(run, 'bad', *flags)
                                         for flags, _ in cases])
  for (flags, expected), message in zip(cases, messages):
    assert expected in message, (flags, message)
    assert not message.strip().count('\n'), message
  assert not (run / 'bad' / 'metrics.json').exists()
