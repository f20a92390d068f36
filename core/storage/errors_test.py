"""Tests of the line of an error, on errors that TensorFlow and disks make."""
import errno

import pytest

from deeplab.core.storage import errors, files
from deeplab.core.tf_compat import tf


def test_the_line_of_a_failed_step_says_what_failed():
  with tf.Graph().as_default(), tf.Session() as session:
    image = tf.image.decode_png(tf.placeholder_with_default('no picture', []))
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
      session.run(image)
  reason = errors.reason_of(caught.value)
  assert '\n' not in reason
  assert 'Detected at node' not in reason and 'Graph execution' not in reason
  assert 'image' in reason.lower() or 'png' in reason.lower()


def test_other_errors_have_their_first_line():
  assert errors.reason_of(ValueError('one.\ntwo')) == 'one'
  assert errors.reason_of(tf.errors.DataLossError(None, None, 'lost\n\tmore')) == 'lost'


def test_path_reason_and_advice_are_told(tmp_path):
  with pytest.raises(OSError) as caught:
    with files.atomic_open(str(tmp_path / 'a.json')):
      raise OSError(errno.ENOSPC, 'No space left on device')
  assert errors.trouble_of(caught.value) == (
      '%s: No space left on device. Make room, and run the same command again.'
      % (tmp_path / 'a.json'))
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('kind, words, wanted', [
    (tf.errors.ResourceExhaustedError, 'run/model.ckpt; No space left on device',
     'run/model.ckpt; No space left on device. Make room, and run the same command again.'),
    (tf.errors.FailedPreconditionError, 'run; Read-only file system\n\t[[save]]',
     'run; Read-only file system. Choose a folder that can be written.'),
    (tf.errors.UnknownError, 'a.tfrecord; Too many levels of symbolic links',
     'a.tfrecord; Too many levels of symbolic links. A link leads back to itself: remove it, or '
     'name the file itself.'),
    (tf.errors.UnknownError, 'a.tfrecord; Stale file handle',
     'a.tfrecord; Stale file handle. Mount the network folder again, and run the same command '
     'again.'),
    (tf.errors.ResourceExhaustedError, 'OOM when allocating tensor with shape[1]', None)])
def test_words_of_tensorflow_are_understood(kind, words, wanted):
  assert errors.trouble_of(kind(None, None, words)) == wanted


def test_a_shard_that_is_a_link_to_itself_is_told(tmp_path):
  path = tmp_path / 'a.tfrecord'
  path.symlink_to('a.tfrecord')
  with pytest.raises(tf.errors.OpError) as caught:
    tf.gfile.Stat(str(path))
  assert errors.trouble_of(caught.value) == (
      '%s; Too many levels of symbolic links. A link leads back to itself: remove it, or name the '
      'file itself.' % path)


def test_a_name_that_is_taken_is_told(tmp_path):
  with pytest.raises(OSError) as caught:
    (tmp_path / 'a').mkdir() or (tmp_path / 'a').mkdir()
  assert errors.trouble_of(caught.value) == (
      '%s: File exists. Choose another name, or move away what has it.' % (tmp_path / 'a'))


def test_other_errors_are_none_of_storage():
  assert errors.trouble_of(OSError('image file is truncated')) is None
  assert errors.trouble_of(OSError(errno.ECHILD, 'No child processes')) is None


@pytest.mark.parametrize('error, wanted', [
    (FileNotFoundError(errno.ENOENT, 'No such file', 'a.txt'),
     'a.txt cannot be read: No such file.'),
    (tf.errors.DataLossError(None, None, 'bad.\nmore'), 'a.txt cannot be read: bad. Copy it.'),
    (KeyboardInterrupt(), None), (KeyError(), None)])
def test_errors_are_told_with_what_failed(error, wanted):
  kinds, advice = ((tf.errors.OpError,), 'Copy it.') if 'Copy' in str(wanted) else ((), '')
  with pytest.raises(ValueError if wanted else type(error)) as caught:
    with errors.told('a.txt cannot be read', *kinds, advice=advice):
      raise error
  assert not wanted or str(caught.value) == wanted
