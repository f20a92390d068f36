"""Tests of the data doctor, on records with one defect each."""
import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.datasets.checks import examination as doctor_checks
from deeplab.datasets.checks import report, rules
from deeplab.datasets.labels import pairs
from deeplab.datasets.records import dataset_info, example, shards
from deeplab.testing import forked_scripts, tiny_run

SAMPLES = tiny_run.make_samples()
POINTS = np.zeros((1, 33, 4), np.float32)


def png(pixels):
  stream = io.BytesIO()
  image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
  image.save(stream, 'PNG')
  return stream.getvalue()


def record_of(sample, image=None, label=None, landmarks=None, size=None):
  """Returns the serialised record of a Sample, with its parts replaced as given."""
  height, width = size or sample.image.shape[:2]
  return example.make_example(
      pairs.EncodedImage(png(sample.image) if image is None else image, 'png', height, width),
      sample.name, png(sample.label) if label is None else label, landmarks
  ).SerializeToString()


def write_split(folder, records, split='val', others=()):
  """Writes a shard of serialised records in place of that of `SAMPLES`; returns its path.

  The dataset_info.json tells of `SAMPLES`, in `split` and in `others` likewise.
  """
  folder = str(folder)
  path = tiny_run.write_records(folder, SAMPLES, split)
  info = dataset_info.read(folder)
  dataset_info.write(info._replace(
      splits=dict.fromkeys((split,) + tuple(others), info.splits[split])), folder)
  with tf.io.TFRecordWriter(path) as writer:
    for record in records:
      writer.write(record)
  return path


def examine(folder):
  return doctor_checks.examine(str(folder), registry.resolve(None, str(folder)),
                               num_processes=1)


def named(folder, name):
  """Returns the sentences of a finding, which must be there and harm as the table says."""
  examination = examine(folder)
  assert examination.findings.counts[name] > 0, examination.findings.named
  is_error = rules.FINDINGS[name].severity == rules.ERROR
  assert examination.findings.of_severity(rules.ERROR) or not is_error
  return examination.findings.named[name]


def grey_colors(label):
  colors = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]], np.uint8)
  return np.asarray(Image.fromarray(colors[label % 4]).convert('L'))


def palette_picture(label):
  image = Image.fromarray(label % 4).convert('P')
  image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [7, 8, 9] * 252)
  return image


FIRST = SAMPLES[0]
LABEL = FIRST.label % 4
OUT_OF_RANGE = np.where(LABEL == 1, np.uint8(9), LABEL)
# Finding -> (first record, what its sentence says).
DEFECTS = {
    'bad_image': (record_of(FIRST, image=png(FIRST.image)[:100]), 'image cannot be decoded'),
    'bad_label': (record_of(FIRST, label=png(FIRST.label)[:-6]),
                  'the PNG file is cut off or damaged'),
    'missing_label': (record_of(FIRST, label=b''), 'no label map'),
    'sizes_differ': (record_of(FIRST, label=png(LABEL[:-1])),
                     'the image is 33x41, its label 32x41'),
    'label_encoding': (record_of(FIRST, label=png(palette_picture(LABEL))),
                       'palette picture with 4 colours'),
    'label_range': (record_of(FIRST, label=png(OUT_OF_RANGE)), 'the label has the values 9, '),
    'bad_landmarks': (record_of(FIRST, landmarks=POINTS[:, :5]), 'shape [1, 5, 4]'),
    'all_ignored': (record_of(FIRST, label=png(np.full_like(LABEL, 255))), 'ignore label 255'),
    'blank_image': (record_of(FIRST, image=png(np.full_like(FIRST.image, 7))), '(7, 7, 7)'),
    'wide_image': (record_of(FIRST, image=tiny_run.wide_png(FIRST.image.astype(int) * 257)),
                   'the image has 16 bits per channel'),
    'recorded_size': (record_of(FIRST, size=(41, 33)), 'says 41x33, the image is 33x41'),
}


@pytest.mark.parametrize('name', sorted(DEFECTS))
def test_defect_of_a_record_is_found_and_named(tmp_path, name):
  record, says = DEFECTS[name]
  write_split(tmp_path, [record] + [record_of(s) for s in SAMPLES[1:]])
  sentence, = named(tmp_path, name)
  assert sentence.startswith('Record tiny/000: ')
  assert says in sentence
  errors = examine(tmp_path).findings.of_severity(rules.ERROR)
  is_error = rules.FINDINGS[name].severity == rules.ERROR
  assert errors == ([name] if is_error else [])


def test_jpeg_image_that_ends_early_is_found(tmp_path):
  stream = io.BytesIO()
  noise = np.random.RandomState(0).randint(0, 256, (33, 41, 3)).astype(np.uint8)
  Image.fromarray(noise).save(stream, 'JPEG')
  whole = [record_of(FIRST, image=stream.getvalue())] + [record_of(s) for s in SAMPLES[1:]]
  write_split(tmp_path, whole)
  assert not examine(tmp_path).findings.counts
  write_split(tmp_path, [record_of(FIRST, image=stream.getvalue()[:-400])] + whole[1:])
  assert 'truncated' in named(tmp_path, 'bad_image')[0]


def test_jpeg_image_that_other_pictures_follow_is_no_defect(tmp_path):
  stream = io.BytesIO()
  noise = np.random.RandomState(0).randint(0, 256, (2, 33, 41, 3)).astype(np.uint8)
  first, second = [Image.fromarray(pixels) for pixels in noise]
  first.save(stream, 'MPO', save_all=True, append_images=[second])
  write_split(tmp_path, [record_of(FIRST, image=stream.getvalue())]
              + [record_of(s) for s in SAMPLES[1:]])
  assert not examine(tmp_path).findings.counts


@pytest.mark.parametrize('label, says', [
    (np.stack([LABEL, LABEL, LABEL * 2], axis=-1), 'RGB picture with 4 colours'),
    (LABEL.astype(np.uint16) * 256, '16 bits'),
    (Image.fromarray(LABEL > 1), 'grey of 1 bits'),
])
def test_labels_that_are_read_as_brightness_are_told(tmp_path, label, says):
  write_split(tmp_path, [record_of(FIRST, label=png(label))]
              + [record_of(s) for s in SAMPLES[1:]])
  sentence, = named(tmp_path, 'label_encoding')
  assert says in sentence


@pytest.mark.parametrize('image, says', [
    (b'', 'the image cannot be decoded (it is empty)'),
    (tiny_run.encode(FIRST.image, 'BMP'), '(it is a BMP file instead of '),
])
def test_images_that_the_input_pipeline_does_not_read_are_told(tmp_path, image, says):
  write_split(tmp_path, [record_of(FIRST, image=image)] + [record_of(s) for s in SAMPLES[1:]])
  sentence, = named(tmp_path, 'bad_image')
  assert says in sentence


@pytest.mark.parametrize('data, says', [
    (b'\xff' * 9, 'the landmarks are not a serialised tensor ('),
    (tf.make_tensor_proto(np.zeros((1, 33, 4))).SerializeToString(),
     "the landmarks are a tensor of float64 instead of float32."),
])
def test_landmarks_of_another_make_are_told(tmp_path, data, says):
  record = tf.train.Example.FromString(record_of(FIRST, landmarks=POINTS))
  record.features.feature['image/landmarks'].bytes_list.value[0] = data
  write_split(tmp_path, [record.SerializeToString()] + [
      record_of(s, landmarks=POINTS) for s in SAMPLES[1:]])
  sentence, = named(tmp_path, 'bad_landmarks')
  assert says in sentence
  assert not examine(tmp_path).findings.counts['missing_landmarks']


def test_grey_rgb_label_counts_as_ids(tmp_path):
  write_split(tmp_path, [record_of(FIRST, label=png(np.stack([FIRST.label] * 3, axis=-1)))]
              + [record_of(s) for s in SAMPLES[1:]])
  assert not examine(tmp_path).findings.counts


def test_colour_masks_turned_to_grey_are_recognised(tmp_path):
  write_split(tmp_path, [record_of(s, label=png(grey_colors(s.label))) for s in SAMPLES])
  assert '38, 75, 113' in named(tmp_path, 'label_colors')[0]
  # Those of VOC also where the dataset has no colours.
  info = dataset_info.read(str(tmp_path))
  dataset_info.write(info._replace(colormap=None), str(tmp_path))
  assert '38, 75, 113' in named(tmp_path, 'label_colors')[0]
  write_split(tmp_path, [record_of(s, label=png(s.label % 4 * 11)) for s in SAMPLES])
  assert not examine(tmp_path).findings.counts['label_colors']


def test_cut_off_shard_is_named(tmp_path):
  path = write_split(tmp_path, [record_of(s) for s in SAMPLES])
  with open(path, 'r+b') as stream:
    stream.truncate(os.path.getsize(path) - 10)
  assert os.path.basename(path) + ': record 2' in named(tmp_path, 'corrupt_record')[0]
  assert 'holds 2 records' in named(tmp_path, 'split_size')[0]
  with pytest.raises(ValueError, match='record 2 is cut off'):
    shards.count_records(path)
  with pytest.raises(ValueError, match='Shard .*gone cannot be read: No such file'):
    shards.count_records(path + '.gone')


def test_lost_records_shards_and_splits_are_told(tmp_path):
  path = write_split(tmp_path, [record_of(s) for s in SAMPLES[:2]], others=['train'])
  assert "'val' holds 2 records, dataset_info.json says 3" in named(tmp_path, 'split_size')[0]
  assert "Split 'train'" in named(tmp_path, 'missing_split')[0]
  os.rename(path, str(tmp_path / shards.shard_name('val', 0, 2)))
  assert 'lacks 1 of 2 shards' in named(tmp_path, 'bad_shards')[0]
  with open(str(tmp_path / shards.shard_name('extra', 0, 1)), 'wb'):
    pass
  assert "'extra'" in named(tmp_path, 'unknown_split')[0]
  assert "'extra'" in named(tmp_path, 'empty_split')[0]


def test_one_split_can_be_read_alone(tmp_path):
  write_split(tmp_path, [record_of(s) for s in SAMPLES], others=['train'])
  assert named(tmp_path, 'missing_split')
  examination = doctor_checks.examine(str(tmp_path), registry.resolve(None, str(tmp_path)),
                                      only_split='val', num_processes=1)
  assert list(examination.splits) == ['val']
  assert not examination.findings.counts


@pytest.mark.parametrize('folder, message', [
    ('absent', "absent' does not exist or is not a folder."),
    ('', 'holds no records .files like .*Build the dataset first'),
])
def test_folders_without_records_are_refused(tmp_path, folder, message):
  with pytest.raises(ValueError, match=message):
    doctor_checks.examine(str(tmp_path / folder), registry.resolve('pascal_voc_seg'),
                          num_processes=1)


def test_built_in_table_is_compared_without_harm(tmp_path):
  write_split(tmp_path, [record_of(s) for s in SAMPLES])
  os.remove(dataset_info.path_in(str(tmp_path)))
  examination = doctor_checks.examine(str(tmp_path), registry.resolve('pascal_voc_seg'),
                                      num_processes=1)
  assert not examination.findings.of_severity(rules.ERROR)
  assert 'pascal_voc_seg says 1449' in examination.findings.named['table_size'][0]
  assert examination.findings.counts['absent_split'] == 3
  # Other names of the same splits are not asked for.
  examination = doctor_checks.examine(str(tmp_path), registry.resolve('cityscapes'),
                                      num_processes=1)
  assert examination.findings.counts['absent_split'] == 1


def test_copies_within_and_across_splits_are_named(tmp_path):
  twin = record_of(SAMPLES[1]._replace(name='twin'), label=png(SAMPLES[1].label))
  write_split(tmp_path, [record_of(s) for s in SAMPLES], 'train')
  write_split(tmp_path, [record_of(FIRST), twin, twin], 'val', others=['train'])
  leak, other = named(tmp_path, 'leak')
  assert sorted([leak, other]) == [
      'One image: Record tiny/000 in train, Record tiny/000 in val.',
      'One image: Record tiny/001 in train, Record twin in val, Record twin in val.']


def test_copies_in_training_splits_are_warnings(tmp_path):
  write_split(tmp_path, [record_of(FIRST), record_of(FIRST), record_of(SAMPLES[1])], 'train')
  assert named(tmp_path, 'duplicate') == [
      'One image: Record tiny/000 in train, Record tiny/000 in train.']
  write_split(tmp_path, [record_of(SAMPLES[1])], 'train_more', others=['train'])
  assert 'Record tiny/001 in train_more' in named(tmp_path, 'overlap')[0]


def test_sets_without_anything_to_learn_are_told(tmp_path):
  ignored = [record_of(s, label=png(np.full_like(s.label, 255))) for s in SAMPLES]
  write_split(tmp_path, ignored)
  assert "split 'val' is of a class, " in named(tmp_path, 'no_labels')[0]
  binary = [record_of(s, label=png(np.uint8(255) * (s.label > 1))) for s in SAMPLES]
  write_split(tmp_path, binary, 'train')
  os.remove(str(tmp_path / shards.shard_name('val', 0, 1)))
  assert 'class' in named(tmp_path, 'one_class')[0]
  assert 'class 3 (sky)' in named(tmp_path, 'absent_class')[0]


def test_missing_landmarks_and_stale_info_are_warnings(tmp_path):
  write_split(tmp_path, [record_of(FIRST, landmarks=POINTS), record_of(SAMPLES[0]._replace(
      name='bare', image=255 - FIRST.image)), record_of(SAMPLES[2])])
  sentence, = named(tmp_path, 'missing_landmarks')
  assert '2 of 3 records, the first: Record bare, Record tiny/002' in sentence
  assert 'the largest sides are 40x41' in named(tmp_path, 'stale_info')[0]
  assert not examine(tmp_path).findings.of_severity(rules.ERROR)


def test_every_kind_of_finding_has_a_test():
  with open(__file__) as stream:
    source = stream.read()
  assert not [name for name in rules.FINDINGS if "'%s'" % name not in source]


def test_program_prints_writes_and_exits(tmp_path):
  sound, broken = tmp_path / 'sound', tmp_path / 'broken'
  for folder in (sound, broken):
    folder.mkdir()
    path = write_split(folder, [record_of(s) for s in SAMPLES])
  write_split(broken, [record_of(FIRST, label=png(OUT_OF_RANGE))]
              + [record_of(s) for s in SAMPLES[1:]])
  code, output, log = forked_scripts.run_apart(
      'datasets/doctor.py', '--dataset_dir=%s' % sound, '--report_dir=%s' % (tmp_path / 'new'),
      '--num_processes=2')
  assert code == 0, output + log
  assert 'Fit for training: 0 kinds of errors, 0 of warnings.' in output
  assert sorted(os.listdir(str(tmp_path / 'new'))) == ['doctor_report.html',
                                                       'doctor_report.json']
  code, output, log = forked_scripts.run_apart('datasets/doctor.py', '--dataset_dir=%s' % broken)
  assert code == 1, output + log
  assert 'Record tiny/000: the label has the values 9' in output
  with open(str(broken / report.JSON_NAME)) as stream:
    content = json.load(stream)
  assert content['harms_training']
  assert content['findings'][0]['name'] == 'label_range'
  assert '3/3' in log
  os.remove(dataset_info.path_in(str(sound)))
  code, output, log = forked_scripts.run_apart('datasets/doctor.py', '--dataset_dir=%s' % sound)
  assert code == 1
  assert 'doctor.py: error: No dataset name was given' in log
  message, = tiny_run.run_main('datasets.doctor', ['--dataset_dir=%s' % (tmp_path / 'nope')])
  assert message == "dataset_dir '%s' does not exist or is not a folder." % (tmp_path / 'nope')
  assert os.path.isfile(path)
