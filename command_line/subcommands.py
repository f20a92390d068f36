"""The `deeplab` command: one name in front of all scripts.

    deeplab train --train_logdir=RUN/train --dataset_dir=RECORDS

runs train.py with the rest of the command line.
"""
import platform
import runpy
import sys
import typing

from deeplab.command_line import completion, ending
from deeplab.core import usage

_PROGRAM = 'deeplab'
_HELP_WORDS = ('help', '-h', '--help')
_VERSION_WORDS = ('version', '--version')


class Subcommand(typing.NamedTuple):
  """A row of SUBCOMMANDS."""
  module: str  # Module of the script, below the package.
  summary: str  # What it does, half a line.


# In the order of a first use.
SUBCOMMANDS = {
    'demo': Subcommand('tools.demo.__main__',
                       'labels sample people with the model that comes with this'),
    'build-sample': Subcommand('datasets.build_sample_data',
                               'renders dressed people and builds their records'),
    'build-custom': Subcommand('datasets.build_custom_data',
                               'builds records from a folder of your images and labels'),
    'build-voc2012': Subcommand('datasets.build_voc2012_data', 'builds records of PASCAL VOC'),
    'build-cityscapes': Subcommand('datasets.build_cityscapes_data',
                                   'builds records of Cityscapes'),
    'build-ade20k': Subcommand('datasets.build_ade20k_data', 'builds records of ADE20K'),
    'doctor': Subcommand('datasets.doctor', 'looks for what would harm training in records'),
    'preview': Subcommand('tools.records.preview', 'draws training crops as the network sees them'),
    'train': Subcommand('train', 'trains; continues at the newest checkpoint'),
    'plot-losses': Subcommand('tools.runs.plot_losses', 'draws the losses of several trainings'),
    'eval': Subcommand('eval', 'measures IoU per class, mIoU and accuracies'),
    'compare': Subcommand('tools.runs.compare_runs',
                          'tells what got better or worse between two evaluations'),
    'vis': Subcommand('vis', 'draws predictions on the pictures of a dataset'),
    'panoptic': Subcommand('evaluation.eval_coco_format',
                           'measures panoptic quality or parsing covering'),
    'predict': Subcommand('predict', 'labels your pictures, videos and folders'),
    'export': Subcommand('export_model',
                         'writes frozen graph, SavedModel, TFLite or ONNX, checked'),
    'convert-tflite': Subcommand('convert_to_tflite', 'turns a frozen graph into a TFLite file'),
    'inspect': Subcommand('tools.checkpoints.inspect_checkpoint',
                          'tells what network a checkpoint is of, as flags'),
    'benchmark': Subcommand('tools.benchmarks.__main__',
                            'measures speed and memory on this machine'),
}
_COMPLETION = 'completion'
# Words that are answered here, for the list.
_OWN = {
    _COMPLETION: 'prints what completes this command in bash, zsh or fish',
    'help': 'shows this list, or the flags of a subcommand',
    'version': 'shows the versions of this package and of TensorFlow',
}


def main():
  """Runs the command line of this process; does not return."""
  sys.exit(run(sys.argv[1:]))


def run(words):
  """Answers the list of words after `deeplab`; returns the exit code.

  Raises SystemExit if the words cannot be used (code 2), or the script has ended.
  """
  ending.call_program(_PROGRAM)
  name, rest = (words[0], words[1:]) if words else ('help', [])
  if name in _HELP_WORDS:
    if rest:
      return _run_script(rest[0], ['--help'])
    print(overview())
  elif name in _VERSION_WORDS:
    print(versions())
  elif name == _COMPLETION:
    write_script = _lookup(completion.SHELLS, rest[0] if rest else '', 'shell')
    sys.stdout.write(write_script(summaries(), completion.read_listing()))
  else:
    _lookup(summaries(), name, 'subcommand')
    return _run_script(name, rest)
  return 0


def summaries():
  """Returns dict, word that may follow `deeplab` -> what it does."""
  return dict({name: row.summary for name, row in SUBCOMMANDS.items()}, **_OWN)


def overview():
  """Returns the text that lists the subcommands."""
  words = summaries()
  width = max(map(len, words))
  return '\n'.join(
      ['Semantic image segmentation with DeepLab.', '',
       'Usage: deeplab SUBCOMMAND --flag=value ...', '']
      + ['  %-*s  %s' % (width, name, summary) for name, summary in words.items()]
      + ['', '`deeplab SUBCOMMAND --help` shows the flags of a subcommand.'])


def versions():
  """Returns the versions of the package, Python and TensorFlow, from what is installed."""
  names = ('tensorflow', 'tensorflow-cpu', 'tensorflow-gpu')
  return 'deeplab %s, Python %s, TensorFlow %s' % (
      installed_version('deeplab'), platform.python_version(),
      next(filter(None, map(installed_version, names)), 'not installed'))


def installed_version(name):
  """Returns the version of a package, which is not imported for it; None without the package."""
  try:
    if sys.version_info >= (3, 8):
      from importlib import metadata
      return metadata.version(name)
    import pkg_resources
    return pkg_resources.get_distribution(name).version
  except Exception:  # Every packaging tool has its own errors; a version is no reason to stop.
    return None


def _run_script(name, words):
  """Runs the script of a subcommand as this process's program; returns the exit code 0."""
  row = _lookup(SUBCOMMANDS, name, 'subcommand')
  ending.call_program('%s %s' % (_PROGRAM, name))
  sys.argv[1:] = words
  try:
    # As `python -m` does it: workers of the script find its functions in __main__.
    runpy.run_module('deeplab.' + row.module, run_name='__main__', alter_sys=True)
  except KeyboardInterrupt:
    # While it was imported; later the script sees to it.
    ending.stop('interrupted.', ending.EXIT_INTERRUPTED)
  return 0


def _lookup(table, name, what):
  """Returns `table[name]`; ends the program, with the nearest match, if it is not there."""
  try:
    return usage.lookup(table, name, what)
  except ValueError as error:
    return ending.stop(error, ending.EXIT_USAGE)


if __name__ == '__main__':
  main()
