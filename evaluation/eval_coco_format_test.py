"""Tests of the evaluation of files: layouts, workers, reports, and what files can have wrong."""
import csv
import json
import os
import shutil
import subprocess
import sys
import typing

import numpy as np
import pytest
from PIL import Image

from deeplab.core import progress
from deeplab.evaluation import (
    cityscapes_panoptic,
    coco_panoptic,
    eval_coco_format,
    folder_pairs,
    panoptic_categories,
    panoptic_images,
    panoptic_report,
    panoptic_sample,
)
from deeplab.testing import forked_scripts

NUM_CATEGORIES = 6
SIZE = panoptic_sample.SampleSize(num_images=3, height=48, width=64)


@pytest.fixture(scope='module')
def shared_sample(tmp_path_factory):
  folder = str(tmp_path_factory.mktemp('panoptic'))
  panoptic_sample.write_sample(folder, SIZE)
  return folder


@pytest.fixture
def sample(shared_sample, tmp_path):
  """A copy of the sample that a test may spoil."""
  folder = str(tmp_path / 'sample')
  shutil.copytree(shared_sample, folder)
  return folder


def evaluate(folder, **changes):
  return eval_coco_format.eval_coco_format(
      os.path.join(folder, 'groundtruth.json'), os.path.join(folder, 'prediction.json'),
      **changes)


def rewrite(path, change):
  """Replaces a JSON file by what `change` makes of its content, in place or returned."""
  with open(path) as f:
    content = json.load(f)
  content = change(content) or content
  with open(path, 'w') as f:
    json.dump(content, f)


def by_definition(folder, is_same_category):
  """Returns the PQ per category, counted as the COCO panoptic challenge does, slowly."""
  counts = {c['id']: [0., 0, 0, 0] for c in panoptic_sample.CATEGORIES}
  parts = []
  for kind in ('groundtruth', 'prediction'):
    with open(os.path.join(folder, kind + '.json')) as f:
      parts.append(json.load(f)['annotations'])
  for truth, predicted in zip(*parts):
    (ids, infos), (predicted_ids, predicted_infos) = (
        (np.asarray(Image.open(os.path.join(folder, kind, a['file_name']))).astype(int)
         .dot([1, 256, 65536]), {s['id']: s for s in a['segments_info']})
        for kind, a in (('groundtruth', truth), ('prediction', predicted)))
    matched = set()
    for number, segment in infos.items():
      if segment['iscrowd']:
        continue
      category, is_found = segment['category_id'], False
      for other, guess in predicted_infos.items():
        both = ((ids == number) & (predicted_ids == other)).sum()
        union = (((ids == number) | (predicted_ids == other)) & (ids != 0)).sum()
        if guess['category_id'] == category and both > 0.5 * union:
          counts[category][0] += both / float(union)
          counts[category][1] += 1
          matched.add(other)
          is_found = True
      counts[category][2] += not is_found
    for other in set(predicted_infos) - matched:
      category = predicted_infos[other]['category_id']
      excused = ids == 0
      for number, segment in infos.items():
        if segment['iscrowd'] and (not is_same_category or segment['category_id'] == category):
          excused = excused | (ids == number)
      mask = predicted_ids == other
      counts[category][3] += (excused & mask).sum() <= 0.5 * mask.sum()
  return {c: iou / (tp + 0.5 * fn + 0.5 * fp) for c, (iou, tp, fn, fp) in counts.items()}


@pytest.mark.parametrize('crowd_excuses', ['any', 'same_category'])
def test_files_of_the_coco_format_equal_the_definition(tmp_path, crowd_excuses):
  panoptic_sample.write_sample(str(tmp_path), SIZE._replace(num_images=12), seed=3)
  results = evaluate(str(tmp_path), num_categories=NUM_CATEGORIES,
                     crowd_excuses=crowd_excuses)
  expected = by_definition(str(tmp_path), crowd_excuses == 'same_category')
  things = [c['id'] for c in panoptic_sample.CATEGORIES if c['isthing']]
  for name, numbers in (('All', list(expected)), ('Things', things),
                        ('Stuff', sorted(set(expected) - set(things)))):
    assert results[name]['n'] == len(numbers)
    assert results[name]['pq'] == pytest.approx(
        np.mean([expected[i] for i in numbers]), abs=1e-9)


def test_perfect_prediction_gives_one_with_the_defaults_for_coco(shared_sample):
  truth = os.path.join(shared_sample, 'groundtruth.json')
  with open(truth) as f:
    has_crowd = 'iscrowd": 1' in f.read()
  assert has_crowd
  path = os.path.join(shared_sample, 'without_crowds.json')
  shutil.copy(truth, path)
  rewrite(path, lambda content: [s.update(iscrowd=0) for a in content['annotations']
                                 for s in a['segments_info']] and None)
  folder = os.path.join(shared_sample, 'groundtruth')
  for metric in ('pq', 'pc'):
    results = eval_coco_format.eval_coco_format(path, path, folder, folder, metric=metric)
    assert results['All'][metric] == pytest.approx(1)


@pytest.mark.parametrize('metric', ['pq', 'pc'])
def test_workers_give_the_same_numbers(tmp_path, metric, monkeypatch):
  panoptic_sample.write_sample(str(tmp_path), SIZE._replace(num_images=70))
  bars = []
  make_bar = progress.bar
  monkeypatch.setattr(progress, 'bar', lambda *args, **kwargs: (
      bars.append(make_bar(*args, **kwargs)) or bars[-1]))
  results = [evaluate(str(tmp_path), metric=metric, num_workers=n) for n in (0, 1, 3)]
  assert results[0] == results[1] == results[2]
  assert [bar.n for bar in bars] == [70] * 3


# --- other layouts -------------------------------------------------------------------------


class Arrays(typing.NamedTuple):
  """Categories and instances of an image, and its crowds."""
  categories: np.ndarray
  instances: np.ndarray
  crowds: dict


def to_arrays(segmentation, limits):
  ids = segmentation.segments_of(segmentation.id_image.ravel())
  return Arrays(*[part.reshape(segmentation.id_image.shape) for part in np.divmod(
      ids, limits.max_instances_per_category)], crowds=segmentation.crowds)


def coco_arrays(folder):
  """Yields (name, truth, prediction) of the sample, Arrays."""
  limits = panoptic_images.Limits(NUM_CATEGORIES, 0, 64)
  _, pairs = coco_panoptic.list_pairs(
      *[os.path.join(folder, part) for part in ('groundtruth.json', 'prediction.json',
                                                'groundtruth', 'prediction')], limits=limits)
  for pair in pairs:
    yield (pair.name, to_arrays(pair.groundtruth.read(limits), limits),
           to_arrays(pair.prediction.read(limits), limits))


def write_folders(sample, output, instance_factor=1):
  """Writes the sample as class and instance PNGs; returns the four folders."""
  folders = [os.path.join(output, name) for name in ('gt', 'gt_instances', 'pred',
                                                     'pred_instances')]
  for folder in folders:
    os.makedirs(os.path.join(folder, 'sub'))
  for name, truth, predicted in coco_arrays(sample):
    arrays = (truth.categories, truth.instances, predicted.categories, predicted.instances)
    for i, (folder, array) in enumerate(zip(folders, arrays)):
      factor = instance_factor if i % 2 else 1
      dtype = np.uint16 if factor > 1 else np.uint8
      Image.fromarray((array * factor).astype(dtype)).save(
          os.path.join(folder, 'sub', name + '.png'))
  return folders


SETTINGS = eval_coco_format.Settings(num_categories=NUM_CATEGORIES)


@pytest.mark.parametrize('instance_factor', [1, 2000])
def test_plain_folders_give_the_numbers_of_the_coco_format(sample, tmp_path, instance_factor):
  folders = write_folders(sample, str(tmp_path), instance_factor)
  pairs = folder_pairs.list_pairs(folders[:2], folders[2:])
  categories = panoptic_categories.parse(list(panoptic_sample.CATEGORIES), 'x', NUM_CATEGORIES,
                                         0)
  for metric in ('pq', 'pc'):
    report = eval_coco_format.evaluate_pairs(categories, pairs,
                                             SETTINGS._replace(metric=metric))
    assert report['means'] == evaluate(sample, num_categories=NUM_CATEGORIES, metric=metric)


def to_cityscapes(segmentation, is_truth):
  """Returns uint16 ids: the categories 1, 2, 3 as cars and people, others as stuff."""
  label_ids = np.array([3, 24, 26, 33, 23, 7])
  ids = label_ids[segmentation.categories]
  is_thing = (segmentation.categories >= 1) & (segmentation.categories <= 3)
  ids = np.where(is_thing, ids * 1000 + segmentation.instances, ids)
  for instance, category in segmentation.crowds.items():
    assert is_truth
    ids[(segmentation.categories == 0) & (segmentation.instances == instance)] = (
        label_ids[category])
  return ids.astype(np.uint16)


@pytest.mark.parametrize('name', ['aachen_000000_%06d_gtFine_instanceIds.png',
                                  'aachen_000000_%06d.png',
                                  'aachen_000000_%06d_pred_instanceIds.png'])
def test_cityscapes_folders_give_the_numbers_of_the_coco_format(sample, tmp_path, name):
  truth_folder, predicted_folder = str(tmp_path / 'gt' / 'aachen'), str(tmp_path / 'pred')
  os.makedirs(truth_folder)
  os.makedirs(predicted_folder)
  for i, (_, truth, predicted) in enumerate(coco_arrays(sample)):
    Image.fromarray(to_cityscapes(truth, True)).save(os.path.join(
        truth_folder, 'aachen_000000_%06d_gtFine_instanceIds.png' % i))
    Image.fromarray(to_cityscapes(predicted, False)).save(
        os.path.join(predicted_folder, name % i))
    Image.new('L', (9, 9)).save(os.path.join(
        truth_folder, 'aachen_000000_%06d_gtFine_labelIds.png' % i))
  categories, pairs = cityscapes_panoptic.list_pairs(str(tmp_path / 'gt'), predicted_folder)
  for excuses in ('any', 'same_category'):
    report = eval_coco_format.evaluate_pairs(
        categories, pairs, eval_coco_format.Settings(
            num_categories=19, ignored_label=255, crowd_excuses=excuses))
    expected = evaluate(sample, num_categories=NUM_CATEGORIES, crowd_excuses=excuses)
    assert list(report['means']) == list(expected)
    for key, means in expected.items():
      assert report['means'][key] == pytest.approx(means, abs=1e-12)


def test_cityscapes_things_are_people_and_vehicles(tmp_path):
  Image.fromarray(np.array([[7, 26001]], np.uint16)).save(
      str(tmp_path / 'bonn_000000_000001_gtFine_instanceIds.png'))
  categories, pairs = cityscapes_panoptic.list_pairs(str(tmp_path), str(tmp_path))
  assert [pair.name for pair in pairs] == ['bonn_000000_000001']
  assert [c.name for c in categories.values() if c.is_thing] == [
      'person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle']
  assert len(categories) == cityscapes_panoptic.NUM_CATEGORIES


def test_converted_cityscapes_json_is_the_coco_format_with_road_as_category_0(tmp_path):
  # Its ids of segments are those of *_instanceIds.png; categories may be train ids.
  for kind, car in (('groundtruth', 26001), ('prediction', 26000)):
    os.makedirs(str(tmp_path / kind))
    ids = np.array([[0, 7, 7, car]])
    Image.fromarray(np.stack([ids % 256, ids // 256, 0 * ids], -1).astype(np.uint8)).save(
        str(tmp_path / kind / 'bonn.png'))
    (tmp_path / (kind + '.json')).write_text(json.dumps({
        'categories': [{'id': 0, 'name': 'road', 'isthing': 0},
                       {'id': 13, 'name': 'car', 'isthing': 1}],
        'annotations': [{'image_id': 'bonn', 'file_name': 'bonn.png', 'segments_info': [
            {'id': 7, 'category_id': 0, 'iscrowd': 0}, {'id': car, 'category_id': 13}]}]}))
  results = evaluate(str(tmp_path), num_categories=19, ignored_label=255)
  assert [(means['pq'], means['n']) for means in results.values()] == [(1, 2), (1, 1), (1, 1)]


# --- results -------------------------------------------------------------------------------


def make_report(sample, **changes):
  options = SETTINGS._replace(**changes)
  categories, pairs = coco_panoptic.list_pairs(
      *[os.path.join(sample, part) for part in ('groundtruth.json', 'prediction.json',
                                                'groundtruth', 'prediction')],
      limits=options.limits)
  return eval_coco_format.evaluate_pairs(categories, pairs, options)


@pytest.mark.parametrize('metric', ['pq', 'pc'])
def test_table_json_and_csv_hold_the_same_numbers(shared_sample, tmp_path, metric):
  report = make_report(shared_sample, metric=metric)
  panoptic_report.write_json(report, str(tmp_path / 'r.json'))
  panoptic_report.write_csv(report, str(tmp_path / 'r.csv'))
  content = json.loads((tmp_path / 'r.json').read_text())
  assert content['num_images'] == 3 and content['num_missing'] == 0
  assert content['settings']['metric'] == metric
  assert content['settings']['intersection_offset'] == 7 * 256
  assert content['means'] == report['means']
  rows = list(csv.DictReader((tmp_path / 'r.csv').open()))
  lines = [line.split() for line in panoptic_report.format_table(report, digits=4)]
  assert lines[0][3] == metric.upper()
  assert len(rows) == len(content['categories']) + 3 == len(lines) - 1
  for row, category, line in zip(rows, content['categories'], lines[1:]):
    assert int(row['id']) == category['id'] == int(line[0])
    assert row['category'] == category['name'] == line[1]
    assert row['kind'] == ('thing' if category['is_thing'] else 'stuff') == line[2]
    assert float(row[metric]) == category[metric] == pytest.approx(float(line[3]), abs=6e-5)
  for row, line in zip(rows[-3:], lines[-3:]):
    assert row['category'] == line[0]
    assert float(row[metric]) == pytest.approx(content['means'][row['category']][metric])
    assert float(line[1]) == pytest.approx(float(row[metric]), abs=6e-5)


def test_absent_categories_have_no_value_and_a_remark(sample):
  rewrite(os.path.join(sample, 'groundtruth.json'), lambda content: content[
      'categories'].append({'id': 0, 'name': 'unlabeled'}))
  options = dict(num_categories=9)
  before = make_report(sample, **options)
  rewrite(os.path.join(sample, 'groundtruth.json'), lambda content: content[
      'categories'].append({'id': 8, 'name': 'boat', 'isthing': 1}))
  report = make_report(sample, **options)
  assert report['means'] == before['means']
  boat = report['categories'][-1]
  assert (boat['name'], boat['pq'], boat['tp']) == ('boat', None, 0)
  table = panoptic_report.format_table(report)
  assert 'boat' not in ' '.join(table)
  assert '1 of 6 categories have no segments' in table[-1]
  # The ignored category is no part of the results.
  assert 'unlabeled' not in [row['name'] for row in report['categories']]


def test_without_knowledge_of_things_there_is_one_mean(sample):
  rewrite(os.path.join(sample, 'groundtruth.json'),
          lambda content: content['categories'][0].pop('isthing') and None)
  assert list(evaluate(sample)) == ['All']


# --- the program ---------------------------------------------------------------------------


def run(*flags):
  return forked_scripts.run('./evaluation/eval_coco_format.py', *flags)


def coco_flags(folder):
  return ['--gt_json_file=%s/groundtruth.json' % folder, '--gt_folder=%s/groundtruth' % folder,
          '--pred_json_file=%s/prediction.json' % folder, '--pred_folder=%s/prediction' % folder]


def test_program_prints_the_table_and_writes_the_files(shared_sample, tmp_path):
  result = run(*coco_flags(shared_sample) + [
      '--num_workers=2', '--print_digits=4', '--results_json=%s/r.json' % tmp_path,
      '--results_csv=%s/r.csv' % tmp_path])
  assert result.code == 0, result.log
  report = json.loads((tmp_path / 'r.json').read_text())
  assert 'All' in result.log and '%.4f' % report['means']['All']['pq'] in result.log
  assert report['means'] == evaluate(shared_sample)
  assert (tmp_path / 'r.csv').read_text().startswith('id,category,kind,pq,sq,rq,tp,fp,fn\n1,')


def test_program_reads_folders_with_names_of_categories(sample, tmp_path):
  folders = write_folders(sample, str(tmp_path))
  path = tmp_path / 'categories.json'
  path.write_text(json.dumps(panoptic_sample.CATEGORIES))
  flags = ['--layout=folders', '--metric=pc', '--num_categories=6',
           '--categories_file=%s' % path] + [
               '--%s=%s' % item for item in zip(('gt_folder', 'gt_instance_folder', 'pred_folder',
                                                 'pred_instance_folder'), folders)]
  result = run(*flags)
  assert result.code == 0, result.log
  expected = evaluate(sample, metric='pc')
  assert 'tower' in result.log and '%.3f' % expected['Things']['pc'] in result.log


@pytest.mark.parametrize('flags, code, message', [
    ([], 2, 'Required: --gt_folder=..., --pred_folder=...'),
    (['--layout=coco'], 2, 'Required'),
    (['--gt_folder=a', '--pred_folder=b'], 1,
     '--layout=coco needs --gt_json_file=... and --pred_json_file=...'),
    (['--gt_folder=a', '--pred_folder=b', '--layout=folders'], 1,
     'needs --gt_instance_folder=... and --pred_instance_folder=...'),
    (['--gt_folder=a', '--pred_folder=b', '--layout=cityscapes', '--gt_json_file=c'], 1,
     '--gt_json_file has no use with --layout=cityscapes'),
    (['--gt_folder=a', '--pred_folder=b', '--layout=cityscapes', '--num_categories=34'], 1,
     '--num_categories is 19 with --layout=cityscapes, got 34'),
    (['--gt_folder=a', '--pred_folder=b', '--layout=cityscapes'], 1, 'There is no folder a.'),
    (['--metric=iou'], 2, 'metric'),
])
def test_flags_that_do_not_fit_are_told_in_a_line(flags, code, message):
  result = run(*flags)
  assert result.code == code
  assert message in result.last_line


def test_program_tells_bad_files_in_a_line_with_exit_code_1(sample):
  os.remove(os.path.join(sample, 'prediction', '000001.png'))
  result = run(*coco_flags(sample))
  assert result.code == 1
  assert '1 of 3 predictions are missing' in result.last_line
  assert '000001.png' in result.last_line
  result = run(*coco_flags(sample) + ['--on_missing=zero', '--num_workers=2'])
  assert result.code == 0
  Image.new('L', (64, 48)).save(os.path.join(sample, 'prediction', '000002.png'))
  result = run(*coco_flags(sample) + ['--on_missing=zero', '--num_workers=2'])
  assert result.code == 1
  assert '000002.png is a PNG of 8-bit grayscale, expected' in result.last_line


def test_results_folder_that_is_absent_is_told_before_the_work(shared_sample, tmp_path):
  result = run(*coco_flags(shared_sample) + ['--results_csv=%s/no/r.csv' % tmp_path])
  assert result.code == 1
  assert 'There is no folder for the results' in result.last_line
  assert 'evaluating' not in result.log


def test_importing_the_script_needs_no_tensorflow():
  code = ('import sys; import deeplab.evaluation.eval_coco_format; '
          'sys.exit(sorted(m for m in sys.modules if m.startswith("tensorflow")) or 0)')
  done = subprocess.run([sys.executable, '-c', code], stderr=subprocess.PIPE)
  assert done.returncode == 0, done.stderr
