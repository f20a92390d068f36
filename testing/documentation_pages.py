"""The pages of the project taken apart: prose, spans of code, blocks of code, headings, links.

Blocks of code are fenced, or indented by four spaces.
"""
import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGES = sorted(glob.glob(os.path.join(ROOT, 'g3doc', '*.md'))
               + glob.glob(os.path.join(ROOT, '**', 'README.md'), recursive=True))

_FENCED = re.compile(r'^```.*?^```$', re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r'^    .*$', re.MULTILINE)
_SPAN = re.compile(r'`([^`]+)`')
_LINK = re.compile(r'\]\(([^)\s]+)\)')
_HEADING = re.compile(r'^#+ +(.*)$', re.MULTILINE)


def name(page):
  """Returns the path of a page from the root."""
  return os.path.relpath(page, ROOT)


def read(page):
  """Returns the text of a page."""
  with open(page, encoding='utf-8') as f:
    return f.read()


def prose(text):
  """Returns a text without its blocks of code."""
  return _INDENTED.sub('', _FENCED.sub('', text))


def code(text):
  """Returns the lines of the blocks of code of a text, joined where a backslash ends them."""
  fenced = [block.split('\n', 1)[1] for block in _FENCED.findall(text)]
  lines = fenced + _INDENTED.findall(_FENCED.sub('', text))
  return '\n'.join(lines).replace('\\\n', ' ')


def spans(text):
  """Returns what stands between backticks in the prose of a text, each on one line."""
  paragraphs = re.split(r'\n\s*\n', prose(text))
  return [' '.join(span.split()) for paragraph in paragraphs for span in _SPAN.findall(paragraph)]


def links(text):
  """Returns the [file or address, heading] of each link of a text, '' for one that is not there."""
  return [(target + '#').split('#')[:2] for target in _LINK.findall(prose(text))]


def anchors(text):
  """Returns the names that links call the headings of a text by."""
  found = []
  for heading in _HEADING.findall(_FENCED.sub('', text)):
    name = re.sub(r'[^\w\- ]', '', heading.strip().lower()).replace(' ', '-')
    count = sum(each == name or re.match(re.escape(name) + r'-\d+$', each) is not None
                for each in found)
    found.append('%s-%d' % (name, count) if count else name)
  return found
