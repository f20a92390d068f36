"""Tests of the line on storage that does not do what it is asked for."""
import errno

import pytest

from deeplab.core import files, storage_trouble
from deeplab.core.tf_compat import tf


def test_path_reason_and_advice_are_told(tmp_path):
  with pytest.raises(OSError) as caught:
    with files.atomic_open(str(tmp_path / 'a.json')):
      raise OSError(errno.ENOSPC, 'No space left on device')
  assert storage_trouble.trouble_of(caught.value) == (
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
  assert storage_trouble.trouble_of(kind(None, None, words)) == wanted


def test_a_shard_that_is_a_link_to_itself_is_told(tmp_path):
  path = tmp_path / 'a.tfrecord'
  path.symlink_to('a.tfrecord')
  with pytest.raises(tf.errors.OpError) as caught:
    tf.gfile.Stat(str(path))
  assert storage_trouble.trouble_of(caught.value) == (
      '%s; Too many levels of symbolic links. A link leads back to itself: remove it, or name the '
      'file itself.' % path)


def test_a_name_that_is_taken_is_told(tmp_path):
  with pytest.raises(OSError) as caught:
    (tmp_path / 'a').mkdir() or (tmp_path / 'a').mkdir()
  assert storage_trouble.trouble_of(caught.value) == (
      '%s: File exists. Choose another name, or move away what has it.' % (tmp_path / 'a'))


def test_other_errors_are_none_of_storage():
  assert storage_trouble.trouble_of(OSError('image file is truncated')) is None
  assert storage_trouble.trouble_of(OSError(errno.ECHILD, 'No child processes')) is None
