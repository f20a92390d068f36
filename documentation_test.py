"""Tests that README and the pages of g3doc tell the truth: commands, flags, paths and links."""
import fnmatch
import functools
import os
import re
import shlex

import pytest

from deeplab.command_line import subcommands
from deeplab.testing import documentation, script_flags

_ROOT = documentation.ROOT
_PAGES = documentation.PAGES
# Flags of libraries, and of shell scripts and TensorBoard, that the pages mention.
_LIBRARY_FLAGS = {'flagfile', 'help', 'helpfull', 'verbosity'}
_SHELL_FLAGS = {'list', 'logdir', 'logs', 'ps', 'workers'}

# What the pages tell the reader to write, has of a release, or calls as an example.
_READERS_OWN = {
    'core/tiny_net.py', 'a.jpg', 'a.png', 'classes.csv', 'instances_val.json',
    'classes.txt', 'data.yaml', 'name.png', 'test.txt', 'train_aug.txt', 'train.csv',
    'label_descriptions.json', 'labelmap.txt', 'label_colors.txt', '_classes.csv',
    'x.jpg', 'x.png', 'x_mask.png', 'x_L.png', 'x_sat.jpg',
    'atr_label.txt', 'cityscapes_panoptic_val.json', '<city>_<sequence>_<frame>.png',
    '<image_name>.json', '*.txt', 'model.pb', 'model_saved_model/', 'model.onnx', 'model.tflite'}
# Beginnings of the reader's own folders, of stores, and of what has a slash and is no path.
_NO_PATHS_OF_THE_PROJECT = (
    'data/', 'run/', 'RUN/', 'zoo/', 'photos/', 'records/', 'humanparsing/', 'train/', '~/', '/',
    '../../x', '...', 'gs://', 's3://', 'hdfs://', 'file://', 'image/', 'SCOPE/', 'eval/miou',
    'eval/boundary', 'iou_1.0/', 'benchmark_RELEASE/')
# What scripts write; the name, or what is fixed of it, stands in some source.
_MADE = {
    'areas.json', 'best/', 'confidence/<name>.png', 'confusion_matrix.png',
    'dataset_info.json', 'doctor_report.html', 'doctor_report.json', 'export.json',
    'frozen_inference_graph.pb', 'inference_graph.pbtxt', 'losses.csv', 'metrics.json',
    'skipped_<split>.txt', 'left_out_<split>.txt', '<name>_color.png', '<name>_cutout.png',
    '<name>_overlay.png',
    '<name>_prediction.png', '<name>_probabilities.npz', '000000_prediction.png',
    'overlays/000000_overlay.png', 'per_class.csv', 'per_class_iou.png', 'per_image.csv',
    'raw_segmentation_results/<name>.png', 'report.html', 'run.json',
    'results/VOC2012/Segmentation/comp6_<split>_cls/<name>.png',
    'segmentation_results/000000_image.png', 'sources.json', 'train.lock',
    '*_color.png', '*_gtFine_labelIds.png', '*_gtFine_labelTrainIds.png', '*_instanceIds.png',
    '*_prediction.png'}
# Folders below those of the project that scripts make, likewise.
_MADE_FOLDERS = ('datasets/pascal_voc_seg', 'datasets/cityscapes', 'datasets/ADE20K',
                 'experiments/', 'datasets/NAME/')
_SOURCES = ('.py', '.sh', '.ipynb', '.sbatch', '.yaml', '.toml')
_PATH = re.compile(
    r'[\w./*<>~:-]*(?:/[\w./*<>-]*|[\w>*]\.(?:py|sh|ipynb|sbatch|yaml|toml|json|csv|md|html|png|jpg'
    r'|txt|pbtxt|pb|tflite|onnx|npz|lock))')
_FIRST_STEPS = ('train', 'eval', 'vis', 'export_model', 'predict', 'datasets.build_custom_data',
                'datasets.doctor', 'tools.checkpoints.inspect_checkpoint',
                'tools.runs.compare_runs')


_read = documentation.read


def commands(text):
  """Yields (module below deeplab, names of flags) of the commands in blocks and spans of code."""
  # A span may leave out who runs the script.
  named = [re.sub(r'^([\w/]+\.py)\b', r'python \1', span) for span in
           documentation.spans(text)]
  for line in documentation.code(text).splitlines() + named:
    match = re.search(r'\bpython3?\s+(?:-m\s+deeplab\.(?P<module>[\w.]+)|(?P<path>[\w/]+)\.py)\b'
                      r'(?P<rest>[^|;&]*)', line) or re.match(
                          r'\s*deeplab (?P<subcommand>[\w-]+)(?P<rest>(?: [^|;&]*)?)$', line)
    if match:
      module = _module_of(**match.groupdict())
      words = shlex.split(match.group('rest').replace("'", '"'), comments=True)
      yield module, [word[2:].split('=')[0] for word in words if word.startswith('--')]


def _module_of(module=None, path=None, subcommand=None, rest=None):
  """Returns the module of a command by its module, its file or its subcommand."""
  if subcommand:
    assert subcommand in subcommands.summaries(), 'there is no deeplab ' + subcommand
    row = subcommands.SUBCOMMANDS.get(subcommand)
    return row.module if row else 'command_line.subcommands'
  module = module or path.replace('/', '.')
  is_package = os.path.isdir(os.path.join(_ROOT, *module.split('.')))
  return module + '.__main__' if is_package else module


def _is_known(flag, known):
  return flag in known or (flag.startswith('no') and flag[2:] in known)


@pytest.fixture(scope='module', name='flags_of')
def fixture_flags_of():
  """Dict, module of each script, and of each other program on a page -> names of its flags."""
  modules = {module for page in _PAGES for module, names in commands(_read(page)) if names}
  facts = script_flags.collect(sorted(modules.union(script_flags.scripts())))
  return {module: {each.name for each in facts[module]} for module in facts}


def test_every_command_has_flags_that_its_script_knows(flags_of):
  found = {}
  for page in _PAGES:
    for module, names in commands(_read(page)):
      found.setdefault(module, {}).update((name, os.path.basename(page)) for name in names)
  assert set(_FIRST_STEPS) <= set(found)
  assert not _is_known('no_such_flag', flags_of['train'])
  unknown = ['%s: %s has no flag --%s' % (page, module, name) for module in sorted(found)
             for name, page in sorted(found[module].items())
             if not _is_known(name, flags_of.get(module, set()) | _LIBRARY_FLAGS)]
  assert not unknown, '\n'.join(unknown)


def test_every_flag_in_the_text_is_one_of_some_script(flags_of):
  known = set().union(_LIBRARY_FLAGS, _SHELL_FLAGS, *flags_of.values())
  unknown = [(os.path.basename(page), flag) for page in _PAGES
             for flag in re.findall(r'(?<![\w-])--(\w+)', documentation.prose(_read(page)))
             if not _is_known(flag, known)]
  assert not unknown


@functools.lru_cache(None)
def _files_of_project():
  """Returns the paths, relative to the root, of all files but hidden ones and what runs make."""
  found = []
  for folder, folders, names in os.walk(_ROOT):
    folders[:] = [name for name in folders if not name.startswith(('.', '__pycache__'))
                  and os.path.join(folder, name) != os.path.join(_ROOT, 'experiments')]
    found += [os.path.relpath(os.path.join(folder, name), _ROOT) for name in names]
  return found


def is_in_project(path, page):
  """Whether a path, from the root or from the folder of a page, or a bare name, is there."""
  path = re.sub(r'^\./', '', path)
  for start in ('', os.path.relpath(os.path.dirname(page), _ROOT) + '/'):
    pattern = os.path.normpath(start + path)
    if fnmatch.filter(_files_of_project(), pattern) or (
        os.path.isdir(os.path.join(_ROOT, pattern))):
      return True
  return '/' not in path and bool(fnmatch.filter(_files_of_project(), '*/' + path))


def _paths_in_spans(text):
  """Yields the words of spans of code that are written like paths."""
  for span in documentation.spans(text):
    for word in span.split():
      word = re.sub(r'^--\w+=', '', word).strip('\'",;()')
      if _PATH.fullmatch(word) and '=' not in word:
        yield word


def _paths_in_blocks(text):
  """Yields the words of blocks of code that are sources, or in folders of the project."""
  folders = tuple(name + '/' for name in os.listdir(_ROOT) if '.' not in name
                  and os.path.isdir(os.path.join(_ROOT, name)))
  for word in re.split(r'[\s=,"\'()\[\]>;]+', documentation.code(text)):
    word = re.sub(r'^\./', '', word)
    if _PATH.fullmatch(word) and (word.endswith(_SOURCES) or word.startswith(folders)):
      yield word.rstrip('.')


def unknown_paths(page, text):
  """Returns the paths of a text that neither the project, nor a run, nor its reader has."""
  return [path for path in list(_paths_in_spans(text)) + list(_paths_in_blocks(text))
          if path not in _READERS_OWN | _MADE
          and not path.startswith(_NO_PATHS_OF_THE_PROJECT + _MADE_FOLDERS)
          and not is_in_project(path, page)]


@pytest.mark.parametrize('page', _PAGES, ids=documentation.name)
def test_every_path_named_exists(page):
  assert unknown_paths(page, _read(page)) == []


@pytest.mark.parametrize('text', [
    'See `core/no_such.py`.', 'See `no_such.sh`.', '`no_such_folder/`', '`cor/`', '`run2.json`',
    '`deployment/tfjobs.yaml`', '`sh g3doc/img/draw_result.sh A`', '`no_such.md`',
    '`core/testdatas`', '`--flag=core/no_such.json`', 'a\n\n    sh utils/no_such.sh\n',
    'a\n\n    python utils/no_such.py --help\n', 'a\n\n    x --cell=core/no_such.json\n',
    '```bash\n. ./no_such.sh\n```\n', '`build_*_no_such.py`', '`train.py` and `vis2.py`'])
def test_paths_that_are_not_there_are_found(text):
  assert len(unknown_paths(os.path.join(_ROOT, 'README.md'), text)) == 1


def test_what_runs_make_stands_in_a_source_and_on_a_page():
  sources = ''.join(_read(os.path.join(_ROOT, path)) for path in _files_of_project()
                    if path.endswith(('.py', '.sh')) and not path.endswith('_test.py')
                    and not path.startswith('testing/'))
  pages = [_read(page) for page in _PAGES]
  named = {path for text in pages for path in _paths_in_spans(text)}
  assert sorted((_MADE | _READERS_OWN) - named) == [], 'no page names them'
  for path in _MADE:
    # What stands for a name, a number or any text is not fixed.
    for part in re.split(r'<\w+>|\*|\d{6}|/', path):
      stem = part.strip('_')
      assert stem in sources or stem == '.png', (path, part)
  for folder in _MADE_FOLDERS:
    assert any(folder in text for text in pages), folder


@pytest.mark.parametrize('page', _PAGES, ids=documentation.name)
def test_links_lead_to_files_and_headings(page):
  assert lost_links(page, _read(page)) == []


def lost_links(page, text):
  """Returns the links of a text that lead to no file or to no heading of it."""
  lost = []
  for target, anchor in documentation.links(text):
    path = os.path.join(os.path.dirname(page), target) if target else page
    if not re.match(r'https?:', target) and not (os.path.exists(path) and (
        not anchor or anchor in documentation.anchors(_read(path)))):
      lost.append('%s#%s' % (target, anchor))
  return lost


def test_lost_links_are_found():
  page = os.path.join(_ROOT, 'g3doc', 'datasets.md')
  text = ('[a](no_such.md) [b](training.md#no-such) [c](#no-such) [d](forma.md#combined-sets) '
          '[e](#on-several-machines) ![f](img/no_such.jpg) [g](https://example.org/#x)')
  assert lost_links(page, text) == ['no_such.md#', 'training.md#no-such', '#no-such',
                                    'img/no_such.jpg#']


def test_every_page_is_reached_from_the_readme():
  readme = _read(os.path.join(_ROOT, 'README.md'))
  linked = {os.path.normpath(os.path.join(os.path.dirname(page), target))
            for page in _PAGES for target, _ in documentation.links(_read(page))}
  lost = [os.path.basename(page) for page in _PAGES
          if os.path.normpath(page) not in linked and not page.endswith('README.md')]
  assert 'g3doc/training.md' in readme
  assert not lost


def unknown_settings(text):
  """Returns the variables that a text sets for a shell script that does not read them."""
  unknown = []
  for line in documentation.code(text).splitlines() + documentation.spans(text):
    match = re.match(r"\s*((?:[A-Z_]+=(?:'[^']*'|\S*) +)+)sh ([\w/]+\.sh)", line)
    if match:
      script = ''.join(_read(os.path.join(_ROOT, path)) for path in (
          match.group(2), 'utils/setup_env.sh', 'utils/driver.sh'))
      unknown += [name for name in re.findall(r'([A-Z_]+)=', match.group(1))
                  if not re.search(r'\$\{?%s\b' % name, script)]
  return unknown


@pytest.mark.parametrize('page', _PAGES, ids=documentation.name)
def test_settings_of_shell_scripts_are_those_they_read(page):
  assert unknown_settings(_read(page)) == []


def test_settings_that_no_script_reads_are_found():
  text = "`DATASETS=a sh local_test.sh`\n\n    EPOCHS=3 EPOCH='4 5' sh local_test_forma.sh\n"
  assert sorted(unknown_settings(text)) == ['DATASETS', 'EPOCH']


# --- pages that promise something of every flag or question ------------------------------


def test_training_explains_every_flag_of_the_trainer(flags_of):
  page = os.path.join(_ROOT, 'g3doc', 'training.md')
  pages = [page] + [os.path.join(_ROOT, 'g3doc', target) for target, _ in
                    documentation.links(_read(page)) if target.endswith('.md')]
  named = {re.sub('^--', '', word.split('=')[0]) for each in pages
           for span in documentation.spans(_read(each)) for word in span.split()}
  listed = {each.name for each in script_flags.collect(['train'])['train'] if each.is_shown}
  assert 'no_such_flag' not in named and len(listed) > 90
  missing = [name for name in sorted(listed) if name not in named and 'no' + name not in named]
  assert missing == [], 'neither training.md nor a page that it links names them'


@pytest.mark.parametrize('script', ['eval', 'vis', 'predict', 'export_model', 'datasets.doctor'])
def test_every_flag_of_these_scripts_is_on_some_page(script):
  words = {re.sub('^--', '', word.split('=')[0]) for page in _PAGES
           for text in documentation.spans(_read(page)) + [
               documentation.code(_read(page))] for word in text.split()}
  missing = [each.name for each in script_flags.collect([script])[script]
             if each.is_shown and each.name not in words and 'no' + each.name not in words]
  assert missing == []


def test_the_page_of_the_command_line_has_every_subcommand():
  spans = documentation.spans(_read(os.path.join(_ROOT, 'g3doc', 'command_line.md')))
  listed = set(spans)
  assert set(subcommands.SUBCOMMANDS) <= listed


def questions(text):
  """Returns a list of (question, text of its answer) of a page of bold questions."""
  parts = re.split(r'^\*\*(.+?)\*\*', re.sub(r'^#.*$', '', text, flags=re.MULTILINE),
                   flags=re.MULTILINE | re.DOTALL)
  return list(zip(parts[1::2], parts[2::2]))


def test_every_question_is_answered_by_a_command():
  found = questions(_read(os.path.join(_ROOT, 'g3doc', 'faq.md')))
  assert len(found) >= 20
  assert [' '.join(question.split()) for question, answer in found
          if not documentation.blocks(answer)] == []
  (_, without), (_, with_one) = questions('**Why?** `x`\n\n**How?** So:\n\n    python x.py\n\nx\n')
  assert not documentation.blocks(without) and documentation.blocks(with_one)
