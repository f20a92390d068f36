"""Tests of opening archives of exported models, those that reach outside among them."""
import io
import os
import tarfile

import pytest

from deeplab.deployment.opening import zoo_archive


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


GRAPH = ('model/frozen_inference_graph.pb', b'graph')


@pytest.mark.parametrize('suffix', zoo_archive.SUFFIXES)
def test_graph_and_its_record_alone_are_unpacked(tmp_path, suffix):
  path = write_archive(tmp_path / ('zoo' + suffix), [
      ('./export.json', b'of another'), ('model/model.ckpt.index', b'index'), GRAPH,
      ('./model/export.json', b'{}'), ('model/other.pb', b'other')])
  (tmp_path / 'out').mkdir()
  graph = zoo_archive.unpack(path, str(tmp_path / 'out'))
  assert graph == str(tmp_path / 'out' / 'frozen_inference_graph.pb')
  assert {name: (tmp_path / 'out' / name).read_bytes()
          for name in os.listdir(str(tmp_path / 'out'))} == {
              'frozen_inference_graph.pb': b'graph', 'export.json': b'{}'}


def test_graph_of_another_name_will_do_if_it_is_the_only_one(tmp_path):
  path = write_archive(tmp_path / 'a.tar', [('m/mine.pb', b'graph'), ('m/notes.txt', b'')])
  assert zoo_archive.unpack(path, str(tmp_path)) == str(tmp_path / 'mine.pb')


def test_folder_goes_after_use_and_other_paths_are_left_alone(tmp_path):
  with zoo_archive.unpacked(write_archive(tmp_path / 'a.tar.gz', [GRAPH])) as graph:
    assert os.path.exists(graph)
  assert not os.path.exists(os.path.dirname(graph))
  with zoo_archive.unpacked('model.pb') as path:
    assert path == 'model.pb'


@pytest.mark.parametrize('name', ['../m.pb', '/m.pb', 'a/../../m.pb'])
def test_members_that_point_outside_are_unpacked_inside(tmp_path, name):
  path = write_archive(tmp_path / 'a.tar', [(name, b'graph'), ('../other.txt', b'')])
  (tmp_path / 'folder').mkdir()
  assert zoo_archive.unpack(path, str(tmp_path / 'folder')) == str(tmp_path / 'folder' / 'm.pb')
  assert os.listdir(str(tmp_path / 'folder')) == ['m.pb']
  assert sorted(os.listdir(str(tmp_path))) == ['a.tar', 'folder']


def test_links_are_no_graphs(tmp_path):
  path = write_archive(tmp_path / 'a.tar', [], [('m.pb', '/somewhere')])
  with pytest.raises(ValueError, match='a.tar must have one frozen_inference_graph.pb'):
    zoo_archive.unpack(path, str(tmp_path))


def test_archives_without_one_graph_are_told(tmp_path):
  for members, message in (
      ([('m/model.ckpt.index', b'')], 'a.tar must have one frozen_inference_graph.pb; it has '
                                      'm/model.ckpt.index'),
      ([], 'it has no files'),
      ([('a.pb', b''), ('b.pb', b'')], 'it has a.pb, b.pb')):
    with pytest.raises(ValueError, match=message):
      zoo_archive.unpack(write_archive(tmp_path / 'a.tar', members), str(tmp_path))
  assert os.listdir(str(tmp_path)) == ['a.tar']


def test_files_that_are_no_archive_are_told(tmp_path):
  (tmp_path / 'a.tgz').write_bytes(b'no archive')
  path = write_archive(tmp_path / 'cut.tar.gz', [(GRAPH[0], os.urandom(50000))])
  with open(path, 'rb+') as stream:
    stream.truncate(30000)
  for name in ('a.tgz', 'cut.tar.gz', 'absent.tar'):
    with pytest.raises(ValueError, match='Cannot read the archive .*%s: ' % name):
      zoo_archive.unpack(str(tmp_path / name), str(tmp_path))
