"""run.json: what a training run was started with, for people and for eval, vis and export.

    {"format_version": 1, "flags": {...}, "dataset_info": {...}, "starts": [{"date": ...}]}

`starts` has an entry per start of the run in the same folder, the newest last. What is called
`record` below is the content of such a file, as `read` returns it, or None.
"""
import contextlib
import datetime
import json
import os
import platform
import socket
import subprocess
import sys

from absl import logging

from deeplab.command_line import subcommands
from deeplab.core import options, tf_compat
from deeplab.core.checkpoints import restoring
from deeplab.core.storage import files, json_text
from deeplab.core.tf_compat import tf
from deeplab.datasets import registry
from deeplab.datasets.records import dataset_info

FILE_NAME = 'run.json'

# Flags of the network that set the resolution of the features.
_RESOLUTION_FLAGS = ('atrous_rates', 'output_stride')

# Flags that say where things are, how often something is told, and what the machine does: the
# weights of a run do not depend on them.
NOT_OF_WEIGHTS = (
    'train_logdir', 'log_steps', 'save_interval_secs', 'keep_checkpoint_max',
    'eval_during_training', 'eval_split', 'save_summaries_secs', 'save_summaries_images',
    'profile_logdir', 'dataset_dir', 'skip_data_check', 'max_image_pixels', 'data_threads',
    'xla', 'recompute', 'gradient_checkpointing', 'clone_on_cpu', 'master', 'worker_hosts',
    'ps_hosts', 'job_name', 'task', 'num_replicas', 'num_ps_tasks', 'startup_delay_steps',
    'cluster_timeout_secs', 'prediction_with_upsampled_logits',
)

# What another value of a flag means for the checkpoint of a run.
_CHANNELS = 'the layers have another number of channels'
_LAYERS_OF_DECODER, _LAYERS_OF_HEAD = 'the decoder has other layers', 'the head has other layers'
MEANINGS = {
    'aspp_convs_filters': _CHANNELS,
    'aspp_with_concat_projection': _LAYERS_OF_HEAD,
    'aspp_with_squeeze_and_excitation': _LAYERS_OF_HEAD,
    'decoder_filters': _CHANNELS,
    'decoder_output_is_logits': _LAYERS_OF_DECODER,
    'decoder_output_stride': _LAYERS_OF_DECODER,
    'decoder_use_sum_merge': _LAYERS_OF_DECODER,
    'dense_prediction_cell_json': _LAYERS_OF_HEAD,
    'depth_multiplier': _CHANNELS,
    'divisible_by': _CHANNELS,
    'model_variant': 'it is another backbone',
    'nas_remove_os32_stride': 'cells see features of another stride',
    'nas_stem_output_num_conv_filters': _CHANNELS,
    'nas_use_classification_head': 'the backbone has other layers',
    'optimizer': 'each optimizer keeps values of its own beside the weights',
    'quantize_delay_step': 'training in 8 bits keeps the ranges of the activations too',
    'tf_initial_checkpoint': 'it is not read, for the run goes on with its own weights',
}
_MAX_TEXT = 60

_FORMAT_VERSION = 1
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_GIT_TIMEOUT_SECS = 10
# Whose versions are told, by the name they have in the file.
_PACKAGES = {'tf_slim': 'tf-slim', 'numpy': 'numpy', 'pillow': 'Pillow', 'tqdm': 'tqdm',
             'deeplab': 'deeplab'}


def write(train_logdir, flags, dataset=None, start_step=0, command_line=None):
  """Writes run.json into an existing folder; an earlier one's starts are kept. Returns its path.

  Args:
    flags: dict, name -> value of every flag.
    dataset: folder of the records, whose dataset_info.json is recorded if there is one; or a
      dataset_info.DatasetInfo; or None.
    start_step: global step that the run starts or continues at.
    command_line: list of words; None: those of this process.

  Raises ValueError if an earlier run.json is malformed.
  """
  earlier = read(train_logdir) or {}
  content = {
      'format_version': _FORMAT_VERSION,
      'flags': dict(sorted(flags.items())),
      'dataset_info': _dataset_content(dataset),
      'starts': earlier.get('starts', []) + [{
          'date': datetime.datetime.now().astimezone().isoformat(timespec='seconds'),
          'start_step': int(start_step),
          'host': socket.gethostname(),
          'command_line': list(sys.argv if command_line is None else command_line),
          'git': git_version(),
          'lane': 'tf1' if tf_compat.IS_TF1 else 'tf2',
          'versions': dict(
              {name: subcommands.installed_version(package) for name, package in _PACKAGES.items()},
              python=platform.python_version(), tensorflow=tf.version.VERSION),
          'changed_flags': changes(earlier, flags),
      }],
  }
  path = os.path.join(train_logdir, FILE_NAME)
  files.write_text(path, json.dumps(content, indent=2, ensure_ascii=False, default=str) + '\n')
  return path


def read(path):
  """Returns the content of the run.json beside checkpoints, or None where there is none.

  The path is that of the run's folder, or of a checkpoint (prefix or file) in it. Raises ValueError
  if the file is malformed; names it.
  """
  folder = path if files.is_dir(path) else os.path.dirname(path)
  path = os.path.join(folder, FILE_NAME)
  try:
    content = json_text.read(path, advice='Correct it or move it away.')
  except json_text.Absent:
    return None
  if (not isinstance(content, dict) or content.get('format_version') != _FORMAT_VERSION
      or not isinstance(content.get('flags'), dict)
      or not isinstance(content.get('starts'), list)):
    raise ValueError('%s is no record of a run in format version %d (flags, starts). Correct '
                     'it or move it away.' % (path, _FORMAT_VERSION))
  return content


def resolve(given_flags, record):
  """Returns dict, name -> value that flags of the network, if not given, take from a run.

  Another output_stride than that of the training is no conflict where atrous_rates are given
  too and cover the same image area, e.g. 8 with 12 24 36 for 16 with 6 12 18: the weights
  are the same, the features finer (Chen et al., "Encoder-Decoder with Atrous Separable
  Convolution", ECCV 2018, section 4.1).

  `given_flags` is a dict, name -> value of the flags on the command line. Raises ValueError if they
  contradict the record of the run; names them and both values of each.
  """
  if record is None:
    return {}
  trained = {name: record['flags'][name] for name in options.ARCHITECTURE_FLAGS
             if name in record['flags']}
  rescaled = _rescaled_rates(given_flags, trained)
  is_rescaled = rescaled and rescaled == list(given_flags.get('atrous_rates') or ())
  allowed = _RESOLUTION_FLAGS if is_rescaled else ()
  conflicts = [name for name, value in sorted(trained.items())
               if name in given_flags and name not in allowed
               and _comparable(given_flags[name]) != _comparable(value)]
  if conflicts:
    raise ValueError('%s (%s beside it). Leave the flag%s out, or name another checkpoint.%s' % (
        '; '.join('%s, but the checkpoint was trained with %s' % (
            _flag(name, given_flags[name]), _flag(name, trained[name])) for name in conflicts),
        FILE_NAME, 's' if len(conflicts) > 1 else '',
        ' At output_stride %d its rates are %s.' % (given_flags['output_stride'], ' '.join(
            '--atrous_rates=%d' % rate for rate in rescaled))
        if rescaled and set(conflicts) & set(_RESOLUTION_FLAGS) else ''))
  return {name: value for name, value in trained.items() if name not in given_flags}


def changes(record, flags):
  """Returns dict, name -> [value at the last start, that of `flags`] of flags that differ."""
  earlier = dict((record or {}).get('flags', {}))
  if earlier.get('dataset'):
    earlier['dataset'] = dataset_name(record)
  # Flags that one of the versions does not have say nothing.
  return {name: [earlier[name], value] for name, value in sorted(flags.items())
          if name in earlier and _comparable(earlier[name]) != _comparable(value)}


@contextlib.contextmanager
def told_if_continued(train_logdir, flags, descriptor):
  """Warns of flags that are not those of the run in a folder; explains why weights do not fit.

  There need be no run yet. Flags are a dict, name -> value of every flag of this start. Raises
  ValueError if, in the context, the checkpoint was found to be of another model.
  """
  is_continued = restoring.resolve_checkpoint(train_logdir) is not None
  record = read(train_logdir) if is_continued else None
  changed = {name: values for name, values in changes(record, flags).items()
             if name not in NOT_OF_WEIGHTS}
  if changed:
    logging.warning('Flags that differ from the last start of this run: %s',
                    ' '.join(_sentence(name, *changed[name]) for name in changed))
  try:
    yield
  except restoring.OtherModelError as error:
    reasons = {name: _sentence(name, *changed[name]) for name in changed
               if name == 'optimizer' or name in options.ARCHITECTURE_FLAGS}
    if error.num_classes:
      reasons['num_classes'] = 'It has %d classes, but %s has %d.' % (
          error.num_classes[0], descriptor.name, error.num_classes[1])
    if not reasons:
      raise
    raise ValueError('%s cannot be continued like this. %s %s' % (
        error.checkpoint, ' '.join(reasons.values()), _advice(error.checkpoint, reasons, record))
    ) from error


def dataset_name(record):
  """Returns the name of the dataset of a training, None where it is not known."""
  # The flag may have been left at its default, and the records have said whose they are.
  record = record or {}
  return (record.get('dataset_info') or {}).get('name') or record.get('flags', {}).get('dataset')


def warn_of_other_dataset(record, name):
  """Warns where a network is used on the dataset `name` and was trained on another one."""
  trained_on = dataset_name(record)
  if trained_on and trained_on != name:
    logging.warning('The checkpoint was trained on %s, and these are records of %s (%s).',
                    trained_on, name, FILE_NAME)


def classes(record, num_classes):
  """Returns (class names, colour map) of the dataset of a training, None where not known.

  A dataset of another number of classes than the `num_classes` of the model is not its own.
  """
  record = record or {'flags': {}}
  info = record.get('dataset_info')
  if info is not None:
    return info.get('class_names'), info.get('colormap')
  descriptor = registry.DATASETS.get(record['flags'].get('dataset'))
  if descriptor is None or descriptor.num_classes != num_classes:
    return None, None
  return descriptor.class_names, descriptor.colormap


def image_range(record):
  """Returns (lowest, highest) value of images of more than 8 bits in the data of a training.

  None where there were no such images, or it is not known.
  """
  return dataset_info.range_of((record or {}).get('dataset_info') or {}, FILE_NAME)


def git_version():
  """Returns the commit of the project's checkout, with '-dirty' if changed, or None."""
  try:
    return subprocess.run(
        ('git', 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'), cwd=_ROOT,
        check=True, timeout=_GIT_TIMEOUT_SECS, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # The project may be installed somewhere inside another one.
        env=dict(os.environ, GIT_OPTIONAL_LOCKS='0', GIT_CEILING_DIRECTORIES=os.path.dirname(
            _ROOT))).stdout.decode('utf-8').strip()
  except (OSError, subprocess.SubprocessError):
    return None


def _dataset_content(dataset):
  """Returns the fields of a DatasetInfo, or of that in a folder, as plain values."""
  info = dataset_info.read(dataset) if isinstance(dataset, str) else dataset
  if info is None:
    return None
  return dict(info._asdict(),
              splits={name: split._asdict() for name, split in info.splits.items()})


def _rescaled_rates(given, trained):
  """Returns the rates of a training at a given output_stride, [] where there are none."""
  stride, trained_stride = given.get('output_stride'), trained.get('output_stride')
  rates = [rate * trained_stride for rate in trained.get('atrous_rates') or ()] if (
      stride and trained_stride) else []
  return [] if any(rate % stride for rate in rates) else [rate // stride for rate in rates]


def _comparable(value):
  """Returns a value in which 1 equals 1.0 and '1', tuples equal lists, and none of them None."""
  if isinstance(value, (list, tuple)):
    return [_comparable(item) for item in value] or None
  if value is None or isinstance(value, bool):
    return value
  try:
    return float(value)
  except (TypeError, ValueError):
    return value


def _flag(name, value):
  if value is None or value == '':
    return 'no --%s' % name
  text = ','.join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
  return '--%s=%s' % (name, text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + '...')


def _advice(checkpoint, reasons, record):
  """Returns a sentence on what to do about what is different."""
  start = ''
  if set(reasons) <= {'optimizer', 'num_classes'}:
    start = ' that starts from its weights: --tf_initial_checkpoint=%s' % checkpoint
    if 'num_classes' in reasons:
      start += ' --initialize_last_layer=false --last_layers_contain_logits_only'
  return 'Repeat the command of the run%s, or begin another one in a new --train_logdir%s.' % (
      ', which is in its %s' % FILE_NAME if record else '', start)


def _sentence(name, was, now):
  """Returns what the values of a flag are, and what that means."""
  return '%s, but the run has %s%s.' % (
      _flag(name, now), _flag(name, was), ': ' + MEANINGS[name] if name in MEANINGS else '')
