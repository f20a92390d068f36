"""The pages of the project taken apart: prose, spans and blocks of code, headings, links, commands.

Blocks of code are fenced, or indented by four spaces. Those that are indented and begin like a
command are given to bash, where functions in the place of programs note words and settings, so
that variables, loops, line ends and quotes are as in the shell, and no program is run.
"""
import glob
import os
import pathlib
import re
import subprocess
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGES = sorted(glob.glob(os.path.join(ROOT, 'g3doc', '*.md'))
               + glob.glob(os.path.join(ROOT, '**', 'README.md'), recursive=True))

_FENCED = re.compile(r'^```.*?^```$', re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r'^    .*$', re.MULTILINE)
_SPAN = re.compile(r'`([^`]+)`')
_LINK = re.compile(r'\]\(([^)\s]+)\)')
_HEADING = re.compile(r'^#+ +(.*)$', re.MULTILINE)

_BEGINS_A_COMMAND = re.compile(
    r'(?:python3?|deeplab|sh|for|source|awk|saved_model_cli|pip|\.venv[\w/.-]+'
    r'|[A-Za-z_]+=\S*.*)(?:\s|$)')
_SAVED_MODEL_CLI = 'saved_model_cli'
# Words, an empty one, and the variables of the command.
_NOTE_WORDS = r"""
note() { printf '%s\0' "$@" ''; env -0; printf '\n\0'; } >&3
python() { note python "$@"; }
python3() { note python "$@"; }
deeplab() { note deeplab "$@"; }
sh() { note sh "$@"; }
saved_model_cli() { note saved_model_cli "$@"; }
"""
_END_OF_BLOCK = 'end of block'
# What bash itself sets, and what it is given.
_NO_SETTINGS = {'PATH', 'PWD', 'OLDPWD', 'SHLVL', '_'}


class Block(typing.NamedTuple):
  """Some lines of a page that belong together."""
  line: int  # Number of its first line.
  text: str  # The lines, without their indentation.


class Command(typing.NamedTuple):
  """A script to run."""
  # Path relative to the root of the project; saved_model_cli is a script of TensorFlow.
  script: str
  words: typing.List[str]  # List, its command line.
  settings: typing.Dict[str, str] = {}  # Dict, the variables set for it.

  def value(self, flag):
    """Returns the last value of a flag, or None."""
    prefix = '--%s=' % flag
    values = [word[len(prefix):] for word in self.words if word.startswith(prefix)]
    return values[-1] if values else None


def name(page):
  """Returns the path of a page from the root."""
  return os.path.relpath(page, ROOT)


def read(page):
  """Returns the text of a page."""
  return pathlib.Path(page).read_text(encoding='utf-8')


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


def blocks(text):
  """Returns the Blocks of a page that hold commands."""
  found, block, is_fenced, before = [], [], False, ''
  for number, line in enumerate(text.splitlines() + [''], 1):
    is_fenced ^= line.startswith('```')
    # Lists have indented lines too, behind lines of text.
    if line.startswith('    ') and not is_fenced and (block or not before.strip()):
      block.append(line[4:])
    elif block:
      if _BEGINS_A_COMMAND.match(block[0]):
        found.append(Block(number - len(block), '\n'.join(block) + '\n'))
      block = []
    before = line
  return found


def commands(page_blocks, cwd, modules):
  """Returns a list of the Commands of each Block, in order; variables stay for the next.

  `modules` is a dict, subcommand of `deeplab` -> module below the package. Raises AssertionError if
  bash stops at a line.
  """
  script = _NOTE_WORDS + ''.join('%s\nnote "%s"\n' % (block.text, _END_OF_BLOCK)
                                 for block in page_blocks)
  found, current = [], []
  for note in _run_bash(script, cwd).split('\n\0')[:-1]:
    words, settings = _words_and_settings(note.split('\0')[:-1])
    if words == [_END_OF_BLOCK]:
      found.append(current)
      current = []
    else:
      current.append(_command(words, modules)._replace(settings=settings))
  return found


def _run_bash(script, cwd):
  """Returns what a script writes to file descriptor 3."""
  reading, writing = os.pipe()
  with os.fdopen(reading, encoding='utf-8', newline='') as notes:
    process = subprocess.Popen(
        ['bash', '-e', '-u', '-c', 'exec 3>&%d\n%s' % (writing, script)], cwd=str(cwd),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        pass_fds=[writing], universal_newlines=True, env={'PATH': os.environ['PATH']})
    os.close(writing)
    text = notes.read()
    output, _ = process.communicate()
  assert process.returncode == 0, output
  return text


def _words_and_settings(note):
  """Returns the words that `note` of bash was called with, and dict, variable -> value."""
  # Words of a command may be empty too; variables never are.
  end = len(note) - 1 - note[::-1].index('')
  pairs = [line.split('=', 1) for line in note[end + 1:]]
  return note[:end], {name: value for name, value in pairs if name not in _NO_SETTINGS}


def _command(words, modules):
  program, words = words[0], words[1:]
  if program == _SAVED_MODEL_CLI:
    return Command(program, words)
  if program == 'deeplab':
    if not words or words[0] not in modules:
      return Command('command_line/subcommands.py', words)
    module, words = 'deeplab.' + modules[words[0]], words[1:]
  elif program != 'sh' and words[0] == '-m':
    module, words = words[1], words[2:]
  else:
    return Command(os.path.normpath(words[0]), words[1:])
  return Command(module[len('deeplab.'):].replace('.', os.sep) + '.py', words)
