"""Tests of opening models of every format, and archives, those that reach outside among them."""
import functools
import glob
import io
import os
import shutil
import tarfile
import tempfile

import numpy as np
import pytest

from deeplab.core import feature_extractor, preprocess_utils
from deeplab.core.tf_compat import tf
from deeplab.deployment import opened_models
from deeplab.deployment.formats import tflite_converter
from deeplab.testing import tiny_run

pytestmark = pytest.mark.usefixtures('shallow_network')

MEAN = feature_extractor.mean_pixel('mobilenet_v2')
OPTIONS = tiny_run.MODEL_OPTIONS._replace(add_image_level_feature=True, depth_multiplier=0.25)


@pytest.fixture(scope='module')
def samples():
  return tiny_run.make_samples(((33, 41), (33, 41), (40, 70)))


@pytest.fixture(scope='module')
def checkpoint(samples, tmp_path_factory):
  return tiny_run.write_checkpoint(tmp_path_factory.mktemp('run'), samples[0].image, OPTIONS)


@pytest.fixture(scope='module')
def opened(checkpoint):
  return opened_models.open_checkpoint(checkpoint, OPTIONS)


def expected(checkpoint, samples, size, **options):
  """Labels of samples padded to a size, of a model made for it."""
  return tiny_run.predict(checkpoint, samples, MEAN, OPTIONS._replace(crop_size=size, **options))


def test_images_are_padded_to_what_features_need(opened, checkpoint, samples):
  labels, none = opened.predict(np.stack([sample.image for sample in samples[:2]]))
  assert none is None
  assert labels.dtype == np.int32
  np.testing.assert_array_equal(labels, expected(checkpoint, samples[:2], (33, 49)))
  assert len(np.unique(labels)) > 1


def test_probabilities_belong_to_the_labels(opened, samples):
  labels, probabilities = opened.predict(samples[2].image[np.newaxis], True)
  assert probabilities.shape == (1, 40, 70, 4)
  np.testing.assert_allclose(probabilities.sum(axis=3), 1, rtol=1e-5)
  np.testing.assert_array_equal(probabilities.argmax(axis=3), labels)


def test_images_are_padded_to_a_pooling_window_of_its_own_size(checkpoint, samples):
  window = {'image_pooling_crop_size': [49, 49]}
  opened = opened_models.open_checkpoint(checkpoint, OPTIONS._replace(**window))
  labels, _ = opened.predict(samples[0].image[np.newaxis])
  np.testing.assert_array_equal(labels, expected(checkpoint, samples[:1], (49, 49), **window))
  labels, _ = opened.predict(samples[2].image[np.newaxis])
  assert labels.shape == (1, 40, 70)


def test_resizing_is_undone(opened, checkpoint, samples):
  double = functools.partial(preprocess_utils.resized_size, min_size=65)
  # Means of multiples of four are whole numbers.
  image = samples[0].image // 4 * 4
  labels, probabilities = opened_models.open_checkpoint(
      checkpoint, OPTIONS, resized_size=double).predict(image[np.newaxis], True)
  assert labels.shape == (1, 33, 41)
  assert probabilities.shape == (1, 33, 41, 4)
  larger = np.zeros((65, 81, 3))
  larger[::2, ::2] = image
  larger[1::2, ::2] = (larger[:-1:2, ::2] + larger[2::2, ::2]) / 2
  larger[:, 1::2] = (larger[:, :-1:2] + larger[:, 2::2]) / 2
  whole, _ = opened.predict(larger.astype(np.uint8)[np.newaxis])
  assert (labels == whole[:, ::2, ::2]).mean() > 0.995


def test_checkpoint_of_another_model_is_told(checkpoint):
  with pytest.raises(ValueError, match='Checkpoint of another model'):
    opened_models.open_checkpoint(checkpoint, OPTIONS._replace(depth_multiplier=0.5))


def test_a_damaged_checkpoint_leaves_no_session_open(checkpoint, tmp_path, monkeypatch):
  class KnownSession(tf.Session):
    not_closed = set()

    def __init__(self, **kwargs):
      super(KnownSession, self).__init__(**kwargs)
      self.not_closed.add(self)

    def close(self):
      super(KnownSession, self).close()
      self.not_closed.discard(self)

  for path in glob.glob(checkpoint + '.*'):
    shutil.copy(path, str(tmp_path / ('copy' + path[len(checkpoint):])))
  data, = tmp_path.glob('copy.data-*')
  data.write_bytes(data.read_bytes()[:-1000])
  monkeypatch.setattr(tf, 'Session', KnownSession)
  with pytest.raises(ValueError, match='Checkpoint .*copy is damaged'):
    opened_models.open_checkpoint(str(tmp_path / 'copy'), OPTIONS)
  assert not KnownSession.not_closed
  opened_models.open_checkpoint(checkpoint, OPTIONS)
  assert len(KnownSession.not_closed) == 1


def test_pictures_of_any_size_fit_tflite_files(tmp_path):
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(tf.float32, [1, 8, 8, 3])
    labels = tf.argmax(images, 3, output_type=tf.int32)
    converter = tf.lite.TFLiteConverter.from_session(session, [images], [labels])
    tflite_converter.take_pixels(converter, images.op.name)
    (tmp_path / 'm.tflite').write_bytes(tflite_converter.run_converter(converter))
  opened = opened_models.open_exported(str(tmp_path / 'm.tflite'))
  assert not opened.has_probabilities
  assert not opened.takes_batches
  image = np.zeros((16, 32, 3), np.uint8)
  image[:, :16, 1] = 250
  image[:, 16:, 2] = 250
  labels, none = opened.predict(image[np.newaxis])
  assert none is None
  assert labels.shape == (1, 16, 32)
  np.testing.assert_array_equal(labels[0, :, :12], np.full((16, 12), 1))
  np.testing.assert_array_equal(labels[0, :, 20:], np.full((16, 12), 2))


def test_files_that_are_no_tflite_model_are_told(tmp_path):
  (tmp_path / 'm.tflite').write_bytes(b'no model')
  with pytest.raises(ValueError, match='m.tflite'):
    opened_models.open_exported(str(tmp_path / 'm.tflite'))


@pytest.mark.parametrize('content, message', [
    (None, 'has no saved_model.pb'), (b'no model', 'cannot be used as a SavedModel')])
def test_folders_that_are_no_saved_model_are_told(tmp_path, content, message):
  if content:
    (tmp_path / 'saved_model.pb').write_bytes(content)
  with pytest.raises(ValueError, match=message):
    opened_models.open_exported(str(tmp_path))


def write_saved_model(folder, with_batches=True):
  """Writes a SavedModel whose labels are red // 100."""
  with tf.Graph().as_default(), tf.Session() as session:
    images = tf.placeholder(tf.uint8, [None if with_batches else 1, None, None, 3])
    labels = tf.cast(images[..., 0] // 100, tf.int32)
    signature = tf.saved_model.signature_def_utils.build_signature_def(
        {'images': tf.saved_model.utils.build_tensor_info(images)},
        {'labels': tf.saved_model.utils.build_tensor_info(labels),
         'probabilities': tf.saved_model.utils.build_tensor_info(tf.one_hot(labels, 3))},
        tf.saved_model.signature_constants.PREDICT_METHOD_NAME)
    builder = tf.saved_model.builder.SavedModelBuilder(folder)
    builder.add_meta_graph_and_variables(session, ['serve'], {'serving_default': signature})
    builder.save()
  return folder


@pytest.mark.parametrize('with_batches', [False, True])
def test_saved_models_are_opened(tmp_path, with_batches):
  opened = opened_models.open_exported(write_saved_model(str(tmp_path / 'm'), with_batches))
  images = np.full((1, 3, 5, 3), 130, np.uint8)
  labels, probabilities = opened.predict(images, True)
  np.testing.assert_array_equal(labels, np.ones((1, 3, 5)))
  np.testing.assert_array_equal(probabilities, np.eye(3)[labels])
  assert opened.takes_batches == with_batches


def write_archive(path, members, links=()):
  """Writes an archive of (name, content) members and of (name, target) symbolic links."""
  with tarfile.open(str(path), 'w:gz' if str(path).endswith('gz') else 'w') as archive:
    for name, target in links:
      info = tarfile.TarInfo(name)
      info.type, info.linkname = tarfile.SYMTYPE, target
      archive.addfile(info)
    for name, content in members:
      info = tarfile.TarInfo(name)
      info.size = len(content)
      archive.addfile(info, io.BytesIO(content))
  return str(path)


def contents(folder):
  """Returns dict, name -> bytes, of the files of a folder."""
  found = {}
  for name in os.listdir(folder):
    with open(os.path.join(folder, name), 'rb') as stream:
      found[name] = stream.read()
  return found


GRAPH = ('model/frozen_inference_graph.pb', b'graph')


@pytest.mark.parametrize('suffix', opened_models.ARCHIVE_SUFFIXES)
def test_graph_and_its_record_alone_are_unpacked(tmp_path, suffix):
  path = write_archive(tmp_path / ('zoo' + suffix), [
      ('./export.json', b'of another'), ('model/model.ckpt.index', b'index'), GRAPH,
      ('./model/export.json', b'{}'), ('model/other.pb', b'other')])
  with opened_models.unpacked(path) as graph:
    folder, name = os.path.split(graph)
    assert name == 'frozen_inference_graph.pb'
    assert contents(folder) == {name: b'graph', 'export.json': b'{}'}


def test_graph_of_another_name_will_do_if_it_is_the_only_one(tmp_path):
  path = write_archive(tmp_path / 'a.tar', [('m/mine.pb', b'graph'), ('m/notes.txt', b'')])
  with opened_models.unpacked(path) as graph:
    assert os.path.basename(graph) == 'mine.pb'


def test_folder_goes_after_use_and_other_paths_are_left_alone(tmp_path):
  with opened_models.unpacked(write_archive(tmp_path / 'a.tar.gz', [GRAPH])) as graph:
    assert os.path.exists(graph)
  assert not os.path.exists(os.path.dirname(graph))
  with opened_models.unpacked('model.pb') as path:
    assert path == 'model.pb'


@pytest.mark.parametrize('name', ['../m.pb', '/m.pb', 'a/../../m.pb'])
def test_members_that_point_outside_are_unpacked_inside(tmp_path, monkeypatch, name):
  path = write_archive(tmp_path / 'a.tar', [(name, b'graph'), ('../other.txt', b'')])
  (tmp_path / 'folders').mkdir()
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'folders'))
  with opened_models.unpacked(path) as graph:
    folder = os.path.dirname(graph)
    assert os.path.dirname(folder) == str(tmp_path / 'folders')
    assert contents(folder) == {'m.pb': b'graph'}
    assert os.listdir(str(tmp_path / 'folders')) == [os.path.basename(folder)]
  assert sorted(os.listdir(str(tmp_path))) == ['a.tar', 'folders']


def test_links_are_no_graphs(tmp_path):
  path = write_archive(tmp_path / 'a.tar', [], [('m.pb', '/somewhere')])
  with pytest.raises(ValueError, match='a.tar must have one frozen_inference_graph.pb'):
    with opened_models.unpacked(path):
      pass


def test_archives_without_one_graph_are_told(tmp_path):
  for members, message in (
      ([('m/model.ckpt.index', b'')], 'a.tar must have one frozen_inference_graph.pb; it has '
                                      'm/model.ckpt.index'),
      ([], 'it has no files'),
      ([('a.pb', b''), ('b.pb', b'')], 'it has a.pb, b.pb')):
    with pytest.raises(ValueError, match=message):
      with opened_models.unpacked(write_archive(tmp_path / 'a.tar', members)):
        pass
  assert os.listdir(str(tmp_path)) == ['a.tar']


def test_files_that_are_no_archive_are_told(tmp_path):
  (tmp_path / 'a.tgz').write_bytes(b'no archive')
  path = write_archive(tmp_path / 'cut.tar.gz', [(GRAPH[0], os.urandom(50000))])
  with open(path, 'rb+') as stream:
    stream.truncate(30000)
  for name in ('a.tgz', 'cut.tar.gz', 'absent.tar'):
    with pytest.raises(ValueError, match='Cannot read the archive .*%s: ' % name):
      with opened_models.unpacked(str(tmp_path / name)):
        pass
