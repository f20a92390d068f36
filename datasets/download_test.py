"""Tests of the shell functions that fetch archives, against a server of their own."""
import hashlib
import http.server
import os
import shutil
import subprocess
import threading
import typing

import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_DATA = bytes(range(256)) * 2000
_MD5 = hashlib.md5(_DATA).hexdigest()
_TOOLS = ('sh', 'cat', 'cut', 'dirname', 'basename', 'md5sum', 'mkdir', 'mv', 'rm', 'sed', 'sleep')
_CLIENTS = ('curl', 'wget')


class _Handler(http.server.BaseHTTPRequestHandler):
  """Serves /file (or part of it), /cut (half of it, once) and /ranges_unknown."""

  def do_GET(self):
    self.server.ranges.append(self.headers.get('Range'))
    begin = 0
    if self.headers.get('Range') and self.path != '/ranges_unknown':
      begin = int(self.headers['Range'][len('bytes='):].split('-')[0])
    if self.path == '/absent' or begin >= len(_DATA):
      self.send_error(404 if self.path == '/absent' else 416)
      return
    self.send_response(206 if begin else 200)
    if begin:
      self.send_header('Content-Range', 'bytes %d-%d/%d' % (begin, len(_DATA) - 1, len(_DATA)))
    self.send_header('Content-Length', str(len(_DATA) - begin))
    self.end_headers()
    is_cut = self.path == '/cut' and len(self.server.ranges) == 1
    self.wfile.write(_DATA[begin:len(_DATA) // 2 if is_cut else None])

  def log_message(self, *args):
    pass


@pytest.fixture
def server():
  httpd = http.server.HTTPServer(('127.0.0.1', 0), _Handler)
  httpd.ranges = []
  httpd.url = 'http://127.0.0.1:%d' % httpd.server_address[1]
  thread = threading.Thread(target=httpd.serve_forever, kwargs={'poll_interval': 0.01})
  thread.start()
  yield httpd
  httpd.shutdown()
  thread.join()
  httpd.server_close()


class _Result(typing.NamedTuple):
  """Exit code and messages."""
  code: int
  log: str


def _download(tmp_path, url, path, checksum=_MD5, client='curl', kind='md5',
              tools=_TOOLS):
  """Calls `download` where only one client is installed."""
  folder = tmp_path / 'tools'
  folder.mkdir(exist_ok=True)
  for tool in list(tools) + ([client] if client else []):
    found = shutil.which(tool)
    if found is None:
      pytest.skip('%s is not installed' % tool)
    if not (folder / tool).exists():
      os.symlink(found, str(folder / tool))
  env = {'PATH': str(folder), 'DOWNLOAD_WAIT_SECS': '0', 'rerun': 'sh again.sh "here"',
         'no_proxy': '*', 'LC_ALL': 'C.UTF-8'}
  process = subprocess.Popen(
      ['sh', '-euc', '. datasets/download.sh; download "$@"', 'sh', url, str(path), kind,
       checksum], cwd=_ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
  log = process.communicate()[0].decode('utf-8')
  return _Result(process.returncode, log)


@pytest.mark.parametrize('client', _CLIENTS)
def test_a_half_file_is_continued(tmp_path, server, client):
  path = tmp_path / 'data sets' / 'a.tar'
  path.parent.mkdir()
  (path.parent / 'a.tar.part').write_bytes(_DATA[:123456])
  result = _download(tmp_path, server.url + '/file', path, client=client)
  assert result.code == 0, result.log
  assert server.ranges == ['bytes=123456-']
  assert path.read_bytes() == _DATA
  assert os.listdir(str(path.parent)) == ['a.tar']


@pytest.mark.parametrize('client', _CLIENTS)
def test_a_broken_connection_is_tried_again_where_it_broke(tmp_path, server, client):
  result = _download(tmp_path, server.url + '/cut', tmp_path / 'new' / 'a.tar', client=client)
  assert result.code == 0, result.log
  assert server.ranges[1] == 'bytes=%d-' % (len(_DATA) // 2)
  assert (tmp_path / 'new' / 'a.tar').read_bytes() == _DATA


@pytest.mark.parametrize('client', _CLIENTS)
def test_a_server_without_ranges_starts_again(tmp_path, server, client):
  (tmp_path / 'a.part').write_bytes(_DATA[:1000])
  result = _download(tmp_path, server.url + '/ranges_unknown', tmp_path / 'a', client=client)
  assert result.code == 0, result.log
  assert (tmp_path / 'a').read_bytes() == _DATA


@pytest.mark.parametrize('client', _CLIENTS)
@pytest.mark.parametrize('part', [b'x' * 1000, b'x' * len(_DATA), b'x' * (len(_DATA) + 1)])
def test_a_spoilt_part_is_fetched_whole(tmp_path, server, client, part):
  (tmp_path / 'a.part').write_bytes(part)
  result = _download(tmp_path, server.url + '/file', tmp_path / 'a', client=client)
  assert result.code == 0, result.log
  assert (tmp_path / 'a').read_bytes() == _DATA


def test_a_part_that_is_whole_and_a_file_that_is_there_need_no_server(tmp_path, server):
  (tmp_path / 'a.part').write_bytes(_DATA)
  for _ in range(2):
    assert _download(tmp_path, server.url + '/file', tmp_path / 'a').code == 0
    assert (tmp_path / 'a').read_bytes() == _DATA
  assert server.ranges == []


@pytest.mark.parametrize('client', _CLIENTS)
def test_a_wrong_checksum_leaves_no_file(tmp_path, server, client):
  result = _download(tmp_path, server.url + '/file', tmp_path / 'a', '0' * 32, client)
  assert result.code == 1
  assert result.log.count('wrong md5 of %s/file: expected %s, got %s' % (
      server.url, '0' * 32, _MD5)) == 3
  assert os.listdir(str(tmp_path)) == ['tools']


def test_another_file_of_that_name_is_kept_aside(tmp_path, server):
  (tmp_path / 'a').write_bytes(b'something else')
  result = _download(tmp_path, server.url + '/file', tmp_path / 'a')
  assert result.code == 0
  assert 'kept as %s.bad' % (tmp_path / 'a') in result.log
  assert (tmp_path / 'a.bad').read_bytes() == b'something else'
  assert (tmp_path / 'a').read_bytes() == _DATA


@pytest.mark.parametrize('kind, tool', [
    ('sha1', 'sha1sum'), ('sha256', 'sha256sum'), ('md5', 'openssl'), ('sha1', 'openssl')])
def test_other_kinds_of_checksums(tmp_path, server, kind, tool):
  tools = [name for name in _TOOLS if name != 'md5sum'] + [tool]
  checksum = hashlib.new(kind, _DATA).hexdigest()
  result = _download(tmp_path, server.url + '/file', tmp_path / 'a', checksum, kind=kind,
                     tools=tools)
  assert result.code == 0, result.log
  assert (tmp_path / 'a').read_bytes() == _DATA


@pytest.mark.parametrize('client, reason', [
    ('curl', 'Failed to connect'), ('wget', 'failed: Connection refused'),
    (None, 'neither curl nor wget is installed')])
def test_without_network_the_manual_steps_are_told(tmp_path, client, reason):
  url = 'http://127.0.0.1:9/a.tar'
  result = _download(tmp_path, url, tmp_path / 'b' / 'a.tar', client=client)
  assert result.code == 1
  assert reason in result.log
  assert result.log.count('== downloading') == 3
  assert result.log.endswith(
      'error: %s could not be downloaded.\n'
      'Without network access here:\n'
      '  1. fetch %s elsewhere\n'
      '  2. put it at %s (md5 %s)\n'
      '  3. run again: sh again.sh "here"\n' % (url, url, tmp_path / 'b' / 'a.tar', _MD5))
  assert os.listdir(str(tmp_path / 'b')) == []


def test_an_absent_file_does_not_become_an_error_page(tmp_path, server):
  result = _download(tmp_path, server.url + '/absent', tmp_path / 'b' / 'a')
  assert result.code == 1 and '404' in result.log
  assert os.listdir(str(tmp_path / 'b')) == []
