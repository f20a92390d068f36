"""Input that claims too much or means harm: absurd sizes, names that lead elsewhere, code."""
import ast
import base64
import html
import html.parser
import json
import os
import struct

import numpy as np
import pytest
from PIL import Image

from deeplab.core.tf_compat import tf
from deeplab.datasets.labels import pairs
from deeplab.datasets.records import example
from deeplab.evaluation.semantic import image_results
from deeplab.testing import damage, forked_scripts, slow, tiny_run, tiny_trees

pytestmark = [slow.only_if_asked_on_tf1, pytest.mark.usefixtures('shallow_network')]

# Pixels of such a picture take 3,433 MiB in grey, 10,300 in RGB; the scripts at work 300 to 900.
_SIDE = 60000
_MOST_MIB = 1500


def jpeg_that_claims(height, width):
  """Returns a JPEG file whose header states another size than its data have."""
  data = bytearray(tiny_run.encode(np.full((16, 16, 3), 99, np.uint8), 'JPEG'))
  struct.pack_into('>HH', data, data.index(b'\xff\xc0') + 5, height, width)
  return bytes(data)


_CLAIMS = {'png': damage.png_that_claims(_SIDE, _SIDE), 'jpeg': jpeg_that_claims(_SIDE, _SIDE)}


@pytest.fixture(scope='module', name='run')
def make_run(tmp_path_factory):
  """A folder with a checkpoint and its run.json."""
  folder = tmp_path_factory.mktemp('run')
  tiny_run.write_run(folder, tiny_run.make_samples()[0].image)
  return folder


@pytest.fixture(name='records')
def make_records(tmp_path):
  """Function (image bytes, label bytes, split) that writes a folder of one such record."""

  def write(image, label, split='val', name='claims'):
    folder = tmp_path / 'records'
    folder.mkdir()
    sample = tiny_run.make_samples([(33, 33)])[0]
    path = tiny_run.write_records(str(folder), [sample], split=split)
    with tf.io.TFRecordWriter(path) as writer:
      writer.write(example.make_example(
          pairs.EncodedImage(image or tiny_run.encode(sample.image), 'png', 33, 33), name,
          label or tiny_run.encode(sample.label % 4)).SerializeToString())
    return folder

  return write


# Runs a script and says how much memory it took, in MiB.
_WITH_PEAK = """
import resource, runpy, sys
sys.argv[0] = sys.argv.pop(1)
try:
  runpy.run_path(sys.argv[0], run_name='__main__')
finally:
  print('PEAK', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.fault('PNG and JPEG files of some bytes that claim 60,000x60,000 pixels, as picture, '
                   'image and label',
                   'refused by predict, builder, doctor, eval, vis, preview and train in a line '
                   'that names --max_image_pixels, before memory is taken')
@pytest.mark.parametrize('kind', sorted(_CLAIMS))
def test_absurd_sizes_are_refused_before_memory_is_taken(run, records, tmp_path, kind, measured):
  data = _CLAIMS[kind]
  place = tmp_path / 'pictures'
  place.mkdir()
  (place / ('a.' + kind)).write_bytes(data)
  label = tmp_path / 'labels'
  label.mkdir()
  tiny_run.save_png(str(label / 'a.png'), np.zeros((4, 4), np.uint8))
  folder = records(data, None, 'train')
  val = tmp_path / 'val'
  folder.rename(val)
  train = records(data, None, 'train')
  (val / 'train-00000-of-00001.tfrecord').rename(val / 'val-00000-of-00001.tfrecord')
  (val / 'dataset_info.json').write_text(
      (val / 'dataset_info.json').read_text().replace('"train"', '"val"'))
  commands = {
      'predict.py': ('--checkpoint_dir=%s' % run, '--input=%s' % place,
                     '--output_dir=%s' % (tmp_path / 'out')),
      'datasets/build_custom_data.py': (
          '--image_dir=%s' % place, '--label_dir=%s' % label, '--num_classes=4',
          '--output_dir=%s' % (tmp_path / 'built'), '--num_processes=1'),
      'datasets/doctor.py': ('--dataset_dir=%s' % val, '--num_processes=1'),
      'eval.py': ('--dataset_dir=%s' % val, '--checkpoint_dir=%s' % run, '--skip_data_check',
                  '--eval_logdir=%s' % (tmp_path / 'eval'), '--eval_once',
                  '--eval_crop_size=33,33'),
      'vis.py': ('--dataset_dir=%s' % val, '--checkpoint_dir=%s' % run,
                 '--vis_logdir=%s' % (tmp_path / 'vis'), '--max_number_of_iterations=1',
                 '--vis_crop_size=33,33'),
      'tools/records/preview.py': ('--dataset_dir=%s' % train, '--train_crop_size=33,33',
                              '--num_images=1', '--output=%s' % (tmp_path / 'sheet.png')),
      'train.py': ('--dataset_dir=%s' % train, '--train_logdir=%s' % (tmp_path / 'train'),
                   '--train_crop_size=33,33', '--train_batch_size=1', '--skip_data_check',
                   '--training_number_of_steps=1') + tiny_run.MODEL_FLAGS,
  }
  peaks = [peak_of_refused(script, *flags) for script, flags in commands.items()]
  measured('%s: all refused; at most %d MiB of memory' % (kind, max(peaks)))


@pytest.mark.fault('labels that claim 60,000x60,000 pixels: a PNG, in a record, a mask of LabelMe',
                   'refused by builder and train in a line that names --max_image_pixels, before '
                   'memory is taken')
def test_absurd_labels_are_refused_before_memory_is_taken(run, records, tmp_path, measured):
  bomb = _CLAIMS['png']
  for place in ('pictures', 'png', 'labelme'):
    (tmp_path / place).mkdir()
  tiny_run.save_png(str(tmp_path / 'pictures' / 'a.png'), np.zeros((33, 33, 3), np.uint8))
  (tmp_path / 'png' / 'a.png').write_bytes(bomb)
  (tmp_path / 'labelme' / 'a.json').write_text(json.dumps({
      'imagePath': 'a.png', 'imageHeight': 33, 'imageWidth': 33, 'shapes': [
          {'label': 'x', 'shape_type': 'mask', 'points': [[0, 0], [32, 32]],
           'mask': base64.b64encode(bomb).decode()}]}))
  train = records(None, bomb, 'train')
  build = ('--image_dir=%s/pictures' % tmp_path, '--num_processes=1')
  commands = [
      ('datasets/build_custom_data.py', build + (
          '--label_dir=%s/png' % tmp_path, '--num_classes=2',
          '--output_dir=%s/built' % tmp_path)),
      ('datasets/build_custom_data.py', build + (
          '--labelme_dir=%s/labelme' % tmp_path, '--class_names=background,x',
          '--output_dir=%s/built2' % tmp_path)),
      ('train.py', ('--dataset_dir=%s' % train, '--train_logdir=%s' % (tmp_path / 'train'),
                    '--train_crop_size=33,33', '--train_batch_size=1', '--skip_data_check',
                    '--training_number_of_steps=1') + tiny_run.MODEL_FLAGS)]
  peaks = [peak_of_refused(script, *flags) for script, flags in commands]
  measured('all refused; at most %d MiB of memory' % max(peaks))


def peak_of_refused(script, *flags):
  """Returns the MiB that a script took; fails unless it named the limit and took little."""
  exit_code, output, log = forked_scripts.run_code(
      _WITH_PEAK, os.path.join(tiny_run.ROOT, script), *flags)
  assert exit_code in (1, 3), (script, output + log)
  assert '--max_image_pixels' in output + log, (script, output + log)
  assert 'Traceback' not in log, (script, log)
  peak = int(output.split('PEAK')[1].split()[0])
  assert peak < _MOST_MIB, (script, peak)
  return peak


_NAMES = ('../../outside', '/outside', 'a\0b', 'n' * 300, '..\\outside', 'sub/dir', '.', '')


@pytest.mark.fault('records called ../../x, /x, a NUL, 300 letters, nothing',
                   'vis writes all of them, each to a file of its own, and nothing outside of '
                   'its folder')
def test_names_of_records_stay_in_the_folder(run, tmp_path, measured):
  records = tmp_path / 'records'
  records.mkdir()
  samples = [sample._replace(name=name) for sample, name in zip(
      tiny_run.make_samples([(33, 33)] * len(_NAMES)), _NAMES)]
  tiny_run.write_records(str(records), samples)
  before = set(tiny_trees.contents(tmp_path))
  result = forked_scripts.run(
      'vis.py', '--dataset_dir=%s' % records, '--checkpoint_dir=%s' % run,
      '--vis_logdir=%s' % (tmp_path / 'deep' / 'down' / 'vis'), '--max_number_of_iterations=1',
      '--vis_crop_size=33,33', '--also_save_raw_predictions')
  assert result.code == 0, result.log
  new = set(tiny_trees.contents(tmp_path)) - before
  assert all(path.startswith('deep/down/vis/') for path in new), new
  assert not os.path.exists('/outside.png')
  raw = [path for path in new if 'raw_segmentation_results' in path]
  assert len(raw) == len(_NAMES), raw
  for path in raw:
    Image.open(str(tmp_path / path)).load()
  measured('%d names: %d files, all below vis_logdir' % (len(_NAMES), len(raw)))


_MARKUP = ('<script>alert(1)</script>', 'x" onload="alert(1)', "'><img src=x onerror=alert(1)>",
           'a\0b', 'line\nbreak', '../../outside', 'n' * 300)


@pytest.mark.fault('names of records and classes that are HTML, paths, a NUL, several lines',
                   'report.html and the page of the doctor show them as text; per_image.csv is '
                   'read back, a NUL apart; nothing is written elsewhere')
def test_names_are_text_in_reports(run, tmp_path, measured):
  records = tmp_path / 'records'
  records.mkdir()
  tiny_run.write_records(str(records), [sample._replace(name=name) for sample, name in zip(
      tiny_run.make_samples([(33, 33)] * len(_MARKUP)), _MARKUP)])
  path = records / 'dataset_info.json'
  info = json.loads(path.read_text())
  info['class_names'] = list(_MARKUP[:info['num_classes']])
  path.write_text(json.dumps(info))
  before = set(tiny_trees.contents(tmp_path))
  result = forked_scripts.run(
      'eval.py', '--dataset_dir=%s' % records, '--checkpoint_dir=%s' % run,
      '--eval_logdir=%s' % (tmp_path / 'deep' / 'eval'), '--eval_once', '--eval_crop_size=33,33',
      '--skip_data_check')
  assert result.code == 0, result.log
  result = forked_scripts.run('datasets/doctor.py', '--dataset_dir=%s' % records,
                              '--num_processes=1')
  assert result.code in (0, 3), result.log
  new = set(tiny_trees.contents(tmp_path)) - before
  assert all(name.startswith(('deep/eval/', 'records/doctor_report')) for name in new), new
  for page in (tmp_path / 'deep' / 'eval' / 'report.html', records / 'doctor_report.html'):
    text = page.read_text(encoding='utf-8')
    assert html.escape(_MARKUP[0]) in text
    tags = _Tags()
    tags.feed(text)
    assert not tags.names & {'script', 'iframe', 'object'}, page
    assert not [name for name in tags.attributes if name.startswith('on')], page
    assert tags.sources and all(source.startswith('data:') for source in tags.sources) or (
        page.name == 'doctor_report.html')
  rows, names = image_results.read_per_image(str(tmp_path / 'deep' / 'eval'))
  shown = [name.replace('\0', '\ufffd') for name in _MARKUP]
  assert [row.name for row in rows] == shown
  assert names == shown[:info['num_classes']]
  measured('%d names of records, %d of classes: text' % (len(_MARKUP), info['num_classes']))


class _Tags(html.parser.HTMLParser):
  """Collects the names of elements and attributes, and the sources of pictures, of a page."""

  def __init__(self):
    super(_Tags, self).__init__()
    self.names, self.attributes, self.sources = set(), set(), []

  def handle_starttag(self, tag, attrs):
    self.names.add(tag)
    self.attributes.update(name for name, _ in attrs)
    self.sources += [value for name, value in attrs if name == 'src']


_RUNS_CODE = {'eval', 'exec', 'compile', '__import__'}
_LOADS_CODE = {('pickle', 'load'), ('pickle', 'loads'), ('yaml', 'load'), ('marshal', 'loads'),
               ('marshal', 'load'), ('np', 'load'), ('numpy', 'load'), ('os', 'system'),
               ('joblib', 'load'), ('torch', 'load')}
# Called with arguments that make them safe: allow_pickle is off by default.
_SAFE = {('np', 'load'), ('numpy', 'load')}


def sources():
  for folder, names, files in os.walk(tiny_run.ROOT):
    names[:] = [name for name in names if not name.startswith('.') and name not in (
        'build', 'experiments', 'node_modules')]
    for name in files:
      if name.endswith('.py') and not name.endswith('_test.py'):
        path = os.path.join(folder, name)
        if os.path.relpath(path, tiny_run.ROOT).startswith('testing'):
          continue
        with open(path, encoding='utf-8') as f:
          yield path, ast.parse(f.read())


@pytest.mark.fault('files that could hold code: pickles, YAML, expressions',
                   'no source calls eval, exec, pickle, yaml.load or a shell with such input')
def test_nothing_that_is_read_can_run(measured):
  num_files = 0
  for path, tree in sources():
    num_files += 1
    for node in ast.walk(tree):
      if isinstance(node, (ast.Import, ast.ImportFrom)):
        modules = [alias.name for alias in node.names] + [getattr(node, 'module', None)]
        assert not {'pickle', 'marshal', 'shelve', 'dill'} & set(modules), path
      if not isinstance(node, ast.Call):
        continue
      keywords = {keyword.arg: keyword.value for keyword in node.keywords}
      if isinstance(node.func, ast.Name):
        assert node.func.id not in _RUNS_CODE, (path, node.lineno)
      if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        called = (node.func.value.id, node.func.attr)
        assert called not in _LOADS_CODE - _SAFE, (path, node.lineno)
        assert 'allow_pickle' not in keywords, (path, node.lineno)
      assert 'shell' not in keywords, (path, node.lineno)
  assert num_files > 200
  measured('%d sources: none' % num_files)
