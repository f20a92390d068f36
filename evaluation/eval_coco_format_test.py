"""Tests of the evaluation of files in the COCO format: numbers, workers, the program."""
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from deeplab.core.jobs import progress
from deeplab.evaluation import eval_coco_format
from deeplab.evaluation.panoptic import make_sample
from deeplab.testing import forked_scripts, tiny_run

NUM_CATEGORIES = 6
SIZE = make_sample.SampleSize(num_images=3, image_height=48, image_width=64)
# Pictures, and figures in a README.
SHARED = os.path.join(tiny_run.ROOT, os.pardir, 'shared', 'data', 'panoptic')
SETTINGS = eval_coco_format.Settings(num_categories=NUM_CATEGORIES)


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
  counts = {c['id']: [0., 0, 0, 0] for c in make_sample.CATEGORIES}
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
  make_sample.write_sample(str(tmp_path), SIZE._replace(num_images=12), seed=3)
  results = evaluate(str(tmp_path), num_categories=NUM_CATEGORIES,
                     crowd_excuses=crowd_excuses)
  expected = by_definition(str(tmp_path), crowd_excuses == 'same_category')
  things = [c['id'] for c in make_sample.CATEGORIES if c['isthing']]
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


@pytest.mark.parametrize('is_normalized, expected', [(False, 0.68211), (True, 0.68215)])
def test_shared_sample_has_the_figures_that_are_known_of_it(is_normalized, expected, caplog):
  if not os.path.isdir(SHARED):
    pytest.skip('no ../shared/data/panoptic')
  results = eval_coco_format.eval_coco_format(
      os.path.join(SHARED, 'coco_gt.json'), os.path.join(SHARED, 'coco_pred.json'), metric='pc',
      num_categories=7, normalize_by_image_size=is_normalized)
  assert results['All']['pc'] == pytest.approx(expected, abs=1e-5)
  assert 'image 3 (team.png): id 0, which means void elsewhere, is a segment here' in caplog.text


@pytest.mark.parametrize('metric', ['pq', 'pc'])
def test_more_segments_than_the_maximum_change_nothing(shared_sample, metric, caplog):
  expected = evaluate(shared_sample, metric=metric)
  assert not caplog.text
  assert evaluate(shared_sample, metric=metric, max_instances_per_category=1) == expected
  assert 'more than max_instances_per_category=1: there is room for them all' in caplog.text


@pytest.mark.parametrize('metric', ['pq', 'pc'])
def test_workers_give_the_same_numbers(tmp_path, metric, monkeypatch):
  make_sample.write_sample(str(tmp_path), SIZE._replace(num_images=70))
  bars = []
  make_bar = progress.bar
  monkeypatch.setattr(progress, 'bar', lambda *args, **kwargs: (
      bars.append(make_bar(*args, **kwargs)) or bars[-1]))
  results = [evaluate(str(tmp_path), metric=metric, num_workers=n) for n in (0, 1, 3)]
  assert results[0] == results[1] == results[2]
  assert [bar.n for bar in bars] == [70] * 3


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


@pytest.mark.parametrize('flags, code, message', [
    ([], 2, 'Required: --gt_folder=..., --pred_folder=...'),
    (['--layout=coco'], 2, 'Required'),
    (['--gt_folder=a', '--pred_folder=b'], 2,
     '--layout=coco needs --gt_json_file=... and --pred_json_file=...'),
    (['--gt_folder=a', '--pred_folder=b', '--layout=folders'], 2,
     'needs --gt_instance_folder=... and --pred_instance_folder=...'),
    (['--gt_folder=a', '--pred_folder=b', '--layout=cityscapes', '--gt_json_file=c'], 2,
     '--gt_json_file has no use with --layout=cityscapes'),
    (['--gt_folder=a', '--pred_folder=b', '--layout=cityscapes', '--num_categories=34'], 2,
     '--num_categories is 19 with --layout=cityscapes, got 34'),
    (['--gt_folder=a', '--pred_folder=b', '--layout=cityscapes'], 1, 'There is no folder a.'),
    (['--gt_folder=a', '--pred_folder=b', '--layout=folders', '--gt_instance_folder=c',
      '--pred_instance_folder=d', '--crowd_excuses=same_category'], 2,
     '--crowd_excuses=same_category: the category of a crowd is not known with --layout=folders'),
    (['--gt_folder=a', '--pred_folder=b', '--nonormalize_by_image_size'], 2,
     '--nonormalize_by_image_size has no effect: it is for --metric=pc.'),
    (['--gt_folder=a', '--pred_folder=b', '--metric=pc', '--crowd_excuses=same_category'], 2,
     '--crowd_excuses=same_category has no effect: it is for --metric=pq.'),
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


def test_pictures_that_are_absent_are_told_with_what_they_are(sample):
  shutil.rmtree(os.path.join(sample, 'prediction'))
  result = run(*coco_flags(sample))
  assert result.code == 1
  assert 'There is no folder %s/prediction, expected the ' % sample in result.last_line
  assert 'prediction.json' in result.last_line


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
