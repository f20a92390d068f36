"""Tests of files here and on file systems of TensorFlow, and of whole-or-absent ones."""
import errno
import io
import os
import subprocess
import sys
import time

import pytest

from deeplab.core.storage import files
from deeplab.core.tf_compat import IS_TF1


def test_written_file_has_the_content_and_leaves_nothing_else(tmp_path):
  files.write_text(str(tmp_path / 'a.txt'), 'Straße')
  assert (tmp_path / 'a.txt').read_bytes() == 'Straße'.encode('utf-8')
  assert [p.name for p in tmp_path.iterdir()] == ['a.txt']


def test_failed_write_keeps_the_old_file_and_no_temporary_one(tmp_path):
  path = tmp_path / 'a.txt'
  path.write_bytes(b'old')
  with pytest.raises(RuntimeError), files.atomic_path(str(path)) as temporary:
    with open(temporary, 'wb') as f:
      f.write(b'half')
    raise RuntimeError
  assert path.read_bytes() == b'old'
  assert [p.name for p in tmp_path.iterdir()] == ['a.txt']


def test_the_name_is_taken_only_at_the_end(tmp_path):
  path = tmp_path / 'a.txt'
  with files.atomic_path(str(path)) as temporary:
    with open(temporary, 'wb') as f:
      f.write(b'new')
    assert not path.exists()
  assert path.read_bytes() == b'new'


def test_relative_paths_work(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  files.write_bytes('a.bin', b'1')
  assert (tmp_path / 'a.bin').read_bytes() == b'1'


def test_removing_an_absent_file_is_fine(tmp_path):
  files.remove_if_present(str(tmp_path / 'absent'))


@pytest.fixture(params=['', 'file://'], ids=['local', 'scheme'])
def place(request, tmp_path):
  """A folder, as a path and as a path with a scheme."""
  return request.param + str(tmp_path)


def test_paths_with_a_scheme_are_told_apart():
  assert files.is_remote('gs://bucket/a')
  assert files.is_remote('file:///a')
  assert not files.is_remote('/a/b://c')
  assert not files.is_remote('a')
  assert files.absolute('gs://bucket/../a') == files.real('gs://bucket/../a') == 'gs://bucket/../a'


def test_contents_come_back(place, tmp_path):
  path = place + '/a.txt'
  files.write_text(path, 'Straße\r\n')
  assert (tmp_path / 'a.txt').read_bytes() == 'Straße\r\n'.encode('utf-8')
  assert files.read_text(path) == 'Straße\r\n'
  assert files.size(path) == 9
  assert 0 <= os.path.getmtime(str(tmp_path / 'a.txt')) - files.change_time(path) < 1
  files.write_bytes(path, b'')
  assert files.read_bytes(path) == b''
  assert files.list_dir(place) == ['a.txt']


@pytest.mark.parametrize('buffering', [-1, 0])
def test_files_can_be_read_in_parts(place, buffering):
  data = bytes(range(256)) * 20000
  files.write_bytes(place + '/a', data)
  with files.open_binary(place + '/a', buffering) as f:
    assert f.read(4) == data[:4]
    assert f.seek(4000001) == f.tell() == 4000001
    assert f.read(3) == data[4000001:4000004]
    assert f.seek(-3, io.SEEK_END) == len(data) - 3
    assert f.read(9) == data[-3:]
    assert f.read(1) == b''
    f.seek(-2, io.SEEK_CUR)
    assert f.read() == data[-2:]
  assert f.closed


def test_folders_are_made_listed_and_removed(place):
  assert not files.exists(place + '/a/b')
  assert not files.is_dir(place + '/a/b')
  for _ in range(2):
    files.make_dirs(place + '/a/b')
  assert files.is_dir(place + '/a/b')
  assert not files.is_file(place + '/a/b')
  for name in ('z.1', 'z.0', 'y'):
    files.write_bytes('%s/a/%s' % (place, name), b'1')
  assert files.is_file(place + '/a/y')
  assert files.list_dir(place + '/a') == ['b', 'y', 'z.0', 'z.1']
  assert files.with_prefix(place + '/a/z.') == [place + '/a/z.0', place + '/a/z.1']
  assert files.with_prefix(place + '/absent/z.') == []
  files.remove_if_present(place + '/a/y')
  files.remove_if_present(place + '/a/y')
  files.remove_tree(place + '/a')
  files.remove_tree(place + '/a')
  assert not files.exists(place + '/a')


def test_errors_are_those_of_the_os_module(place):
  files.write_bytes(place + '/file', b'')
  for function in (files.read_bytes, files.size, files.list_dir, files.open_binary):
    with pytest.raises(FileNotFoundError) as caught:
      function(place + '/absent')
    assert caught.value.strerror == 'No such file or directory'
    assert caught.value.filename == place + '/absent'
  for function in (files.list_dir, lambda path: files.read_bytes(path + '/in_it')):
    with pytest.raises(NotADirectoryError):
      function(place + '/file')
  with pytest.raises(IsADirectoryError):
    files.read_bytes(place)
  with pytest.raises(OSError):
    files.write_bytes(place + '/absent/a', b'')
  with pytest.raises(OSError):
    files.make_dirs(place + '/file/a')
  assert not files.exists(place + '/file/a')
  assert files.list_dir(place) == ['file']


def test_failed_writes_leave_nothing(place):
  files.write_bytes(place + '/a', b'old')
  with pytest.raises(RuntimeError), files.atomic_open(place + '/a') as f:
    f.write(b'half')
    raise RuntimeError
  assert files.read_bytes(place + '/a') == b'old'
  assert files.list_dir(place) == ['a']


@pytest.mark.parametrize('source_scheme', ['', 'file://'])
def test_files_and_folders_are_copied_from_anywhere(place, tmp_path, source_scheme):
  source = source_scheme + str(tmp_path)
  files.make_dirs(source + '/a/in_it')
  for name in ('a/last', 'a/one', 'a/in_it/two'):
    files.write_text('%s/%s' % (source, name), name)
  assert files.copy(source + '/a/one', place + '/copy') == place + '/copy'
  assert files.read_text(place + '/copy') == 'a/one'
  files.copy_tree(source + '/a', place + '/b', last='last')
  assert files.list_dir(place + '/b') == ['in_it', 'last', 'one']
  assert files.read_text(place + '/b/in_it/two') == 'a/in_it/two'
  for _ in range(2):
    files.link_or_copy(source + '/a/one', place + '/link')
  assert files.read_text(place + '/link') == 'a/one'
  assert files.list_dir(place) == ['a', 'b', 'copy', 'link']


def test_a_new_file_is_of_the_first(tmp_path, monkeypatch):
  path = str(tmp_path / 'a')
  assert files.write_new_text(path, 'one') is True
  assert files.write_new_text(path, 'two') is False
  assert files.read_text(path) == 'one'
  assert files.write_new_text('file://%s/b' % tmp_path, 'one') is None
  with pytest.raises(FileNotFoundError):
    files.write_new_text(str(tmp_path / 'absent' / 'a'), 'one')

  def refuse(unused_source, unused_target):
    raise PermissionError(errno.EPERM, 'no hard links')

  monkeypatch.setattr(os, 'link', refuse)
  assert files.write_new_text(str(tmp_path / 'b'), 'one') is None
  assert os.listdir(str(tmp_path)) == ['a']


def test_text_is_appended_here_and_refused_elsewhere(tmp_path):
  for _ in range(2):
    files.append_text(str(tmp_path / 'a'), 'é\n')
  assert (tmp_path / 'a').read_bytes() == 'é\né\n'.encode('utf-8')
  with pytest.raises(ValueError, match='cannot be appended to'):
    files.append_text('file://%s/a' % tmp_path, 'b')


@pytest.mark.parametrize('function', [files.exists, files.is_dir, files.list_dir,
                                      files.make_dirs, files.read_bytes])
def test_an_unknown_scheme_is_a_clear_error(function):
  with pytest.raises(ValueError, match="nowhere://a: .*'nowhere' not implemented"):
    function('nowhere://a')


@pytest.mark.skipif(IS_TF1, reason='TensorFlow 1 has all of its file systems from the start')
def test_tensorflow_io_is_loaded_for_schemes_that_tensorflow_lacks(tmp_path):
  (tmp_path / 'tensorflow_io.py').write_text('raise SystemExit("loaded")')
  code = ('import sys; sys.path.append(sys.argv[1]); from deeplab.core.storage import files; '
          'files.exists("file://" + sys.argv[1]); print("not for file"); files.exists("s3://a")')
  process = subprocess.run([sys.executable, '-c', code, str(tmp_path)], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
  assert process.stdout == b'not for file\n'
  assert process.stderr.strip().endswith(b'loaded')


def test_tensorflow_is_loaded_for_schemes_alone(tmp_path):
  code = ('import sys; from deeplab.core.storage import files; files.exists(sys.argv[1]); '
          'files.write_text(sys.argv[1] + "/a", ""); files.copy(sys.argv[1] + "/a", '
          'sys.argv[1] + "/b"); print("tensorflow" in sys.modules)')
  assert subprocess.check_output([sys.executable, '-c', code, str(tmp_path)]).strip() == b'False'


def test_folder_that_cannot_be_used_is_told(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(ValueError, match='--output_dir=.*/file/out cannot be used for results: '
                                       'Not a directory'):
    files.check_folder(str(tmp_path / 'file' / 'out'), 'output_dir')


def test_what_killed_processes_left_is_removed(tmp_path):
  gone, alive = 2 ** 22 + 1, os.getpid()  # More than the kernel's limit, so of no process.
  names = {'.a.png.%d-0123abcd.tmp' % gone: 7200, '.b.png.%d-0123abcd.tmp' % gone: 60,
           '.c.png.%d-0123abcd.tmp' % alive: 7200, '.d.tmp': 7200, 'e.tmp': 7200, '.f': 7200}
  for name, age_secs in names.items():
    (tmp_path / name).write_bytes(b'half')
    then = time.time() - age_secs
    os.utime(str(tmp_path / name), (then, then))
  files.check_folder(str(tmp_path), 'output_dir')
  assert set(names) - {path.name for path in tmp_path.iterdir()} == {
      '.a.png.%d-0123abcd.tmp' % gone}
