"""A page as the screen of a phone shows it, where Chromium is installed."""
import re
import shutil
import subprocess

import pytest

_PHONE = '390,844'
_TIMEOUT_SECS = 120


def on_a_phone(path, folder):
  """Returns how many pictures of a page a browser can show, its width, and that of the page.

  It adds to the HTML file `path`, writes to `folder`, and skips the test where there is no browser.
  """
  browser = shutil.which('chromium') or shutil.which('google-chrome')
  if not browser:
    pytest.skip('No chromium here.')
  with open(path, 'a', encoding='utf-8') as f:
    f.write('<script>window.onload = function() {document.title = "shown " + Array.from('
            'document.images).filter(i => i.naturalWidth > 5).length + ", " + window.innerWidth'
            ' + " " + document.documentElement.scrollWidth;}</script>')
  process = subprocess.run(
      [browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking',
       '--window-size=' + _PHONE, '--dump-dom', '--user-data-dir=%s' % (folder / 'profile'),
       'file://' + path],
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=_TIMEOUT_SECS)
  found = re.search(r'<title>shown (\d+), (\d+) (\d+)</title>', process.stdout.decode('utf-8'))
  assert found, process.stderr
  return tuple(map(int, found.groups()))
