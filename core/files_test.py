"""Tests of whole-or-absent files."""
import pytest

from deeplab.core import files


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


def test_folder_that_cannot_be_used_is_told(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(ValueError, match='--output_dir=.*/file/out cannot be used for results: '
                                       'Not a directory'):
    files.check_folder(str(tmp_path / 'file' / 'out'), 'output_dir')
