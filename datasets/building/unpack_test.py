"""Tests of unpacking archives that may be hostile or damaged."""
import io
import os
import subprocess
import sys
import tarfile
import zipfile

import pytest

from deeplab.datasets.building import unpack


def _make_tar(path, files, links=(), mode='w'):
  with tarfile.open(str(path), mode) as archive:
    for name, data in files:
      member = tarfile.TarInfo(name)
      member.size = len(data)
      archive.addfile(member, io.BytesIO(data))
    for name, target, kind in links:
      member = tarfile.TarInfo(name)
      member.type, member.linkname = kind, target
      archive.addfile(member)
  return str(path)


def _make_zip(path, files, links=()):
  with zipfile.ZipFile(str(path), 'w', zipfile.ZIP_DEFLATED) as archive:
    for name, data in files:
      archive.writestr(name, data)
    for name, target in links:
      member = zipfile.ZipInfo(name)
      member.create_system, member.external_attr = 3, 0o120777 << 16
      archive.writestr(member, target)
  return str(path)


def _tree(folder):
  return sorted(os.path.relpath(os.path.join(root, name), str(folder))
                for root, _, names in os.walk(str(folder)) for name in names)


@pytest.mark.parametrize('make, name', [
    (_make_tar, 'a.tar'), (lambda path, files: _make_tar(path, files, mode='w:gz'), 'a.tgz'),
    (_make_zip, 'a.zip')])
def test_files_come_out_as_they_went_in(tmp_path, make, name):
  content = os.urandom(100000)
  archive = make(tmp_path / name, [('./top/été 1.bin', content), ('top/empty', b'')])
  assert unpack.unpack(archive, str(tmp_path / 'out')) == 2
  assert _tree(tmp_path / 'out') == ['top/empty', 'top/été 1.bin']
  assert (tmp_path / 'out' / 'top' / 'été 1.bin').read_bytes() == content


@pytest.mark.parametrize('make', [_make_tar, _make_zip])
@pytest.mark.parametrize('name', ['../evil', 'a/../../evil', '/evil', 'a\\..\\..\\evil'])
def test_names_that_lead_out_are_refused_before_anything_is_written(tmp_path, make, name):
  archive = make(tmp_path / 'a', [('good', b'1'), (name, b'2')])
  with pytest.raises(ValueError, match='leads out of the folder. Nothing was unpacked'):
    unpack.unpack(archive, str(tmp_path / 'b' / 'out'))
  assert _tree(tmp_path) == ['a']


def test_links_that_lead_out_are_refused_and_others_left_out(tmp_path):
  inside = _make_tar(tmp_path / 'a', [('d/x', b'1')], [('d/y', 'x', tarfile.SYMTYPE),
                                                     ('d/z', 'd/x', tarfile.LNKTYPE)])
  assert unpack.unpack(inside, str(tmp_path / 'out')) == 2
  assert _tree(tmp_path / 'out') == ['d/x', 'd/z']
  zipped = _make_zip(tmp_path / 'c', [('d/x', b'1')], [('d/y', 'x')])
  assert unpack.unpack(zipped, str(tmp_path / 'zip_out')) == 1
  for outside in (_make_tar(tmp_path / 'e', [], [('d/y', '../../x', tarfile.SYMTYPE)]),
                  _make_tar(tmp_path / 'f', [], [('y', '/etc', tarfile.SYMTYPE)]),
                  _make_zip(tmp_path / 'g', [], [('y', '..')])):
    with pytest.raises(ValueError, match='leads out'):
      unpack.unpack(outside, str(tmp_path / 'never'))
  assert not (tmp_path / 'never').exists()


def test_devices_are_refused(tmp_path):
  archive = _make_tar(tmp_path / 'a', [], [('pipe', '', tarfile.FIFOTYPE)])
  with pytest.raises(ValueError, match="'pipe' is neither a file nor a folder"):
    unpack.unpack(archive, str(tmp_path / 'out'))


def test_a_link_that_was_in_the_folder_is_not_followed_out(tmp_path):
  (tmp_path / 'out').mkdir()
  (tmp_path / 'elsewhere').mkdir()
  os.symlink(str(tmp_path / 'elsewhere'), str(tmp_path / 'out' / 'd'))
  with pytest.raises(ValueError, match='leads out of .* by a link that is there'):
    unpack.unpack(_make_tar(tmp_path / 'a', [('d/x', b'1')]), str(tmp_path / 'out'))
  assert _tree(tmp_path / 'elsewhere') == []


@pytest.mark.parametrize('make', [
    _make_tar, lambda path, files: _make_tar(path, files, mode='w:gz'), _make_zip])
def test_a_cut_or_damaged_archive_is_told_and_leaves_no_half_file(tmp_path, make):
  archive = make(tmp_path / 'a', [('x', os.urandom(200000)), ('y', os.urandom(200000))])
  with open(archive, 'rb') as f:
    data = f.read()
  with open(archive, 'wb') as f:
    # A zip file has its list of contents at the end: there, the middle is spoilt instead.
    f.write(data[:300000] + (bytes(1000) + data[301000:] if make is _make_zip else b''))
  with pytest.raises(ValueError, match='is damaged'):
    unpack.unpack(archive, str(tmp_path / 'out'))
  assert set(_tree(tmp_path / 'out')) <= {'.unpacking-a', 'x'}


def test_the_program_says_what_is_wrong_in_one_line(tmp_path):
  (tmp_path / 'a.tar').write_text('<html>no archive</html>')
  for path, message in ((tmp_path / 'a.tar', 'is no whole tar or zip archive'),
                        (tmp_path / 'absent.tar', 'No such file')):
    process = subprocess.Popen([sys.executable, unpack.__file__, str(path), str(tmp_path / 'o')],
                               stderr=subprocess.PIPE)
    line = process.communicate()[1].decode('utf-8').strip()
    assert process.returncode == 1
    assert line.startswith('unpack.py: error: ') and message in line and '\n' not in line
  process = subprocess.Popen([sys.executable, unpack.__file__, str(tmp_path / 'a.tar')],
                             stderr=subprocess.PIPE)
  assert process.communicate()[1] == b'usage: unpack.py ARCHIVE FOLDER\n'
  assert process.returncode == 2
