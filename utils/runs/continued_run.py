"""What is told of a run that is continued with other flags than it was last started with."""
import contextlib

from absl import logging

from deeplab.core.checkpoints import restoring
from deeplab.utils.runs import run_record

# Flags that say where things are, how often something is told, and what the machine does: the
# weights of a run do not depend on them.
NOT_OF_WEIGHTS = (
    'train_logdir', 'log_steps', 'save_interval_secs', 'keep_checkpoint_max',
    'eval_during_training', 'eval_split', 'save_summaries_secs', 'save_summaries_images',
    'profile_logdir', 'dataset_dir', 'skip_data_check', 'max_image_pixels', 'data_threads',
    'xla', 'gradient_checkpointing', 'clone_on_cpu', 'master', 'worker_hosts', 'ps_hosts',
    'job_name', 'task', 'num_replicas', 'num_ps_tasks', 'startup_delay_steps',
    'cluster_timeout_secs', 'prediction_with_upsampled_logits',
)

# What another value of a flag means for the checkpoint of a run.
_CHANNELS = 'the layers have another number of channels'
MEANINGS = {
    'decoder_output_stride': 'the decoder has other layers',
    'dense_prediction_cell_json': 'the head has other layers',
    'depth_multiplier': _CHANNELS,
    'divisible_by': _CHANNELS,
    'model_variant': 'it is another backbone',
    'nas_stem_output_num_conv_filters': _CHANNELS,
    'optimizer': 'each optimizer keeps values of its own beside the weights',
    'quantize_delay_step': 'training in 8 bits keeps the ranges of the activations too',
    'tf_initial_checkpoint': 'it is not read, for the run goes on with its own weights',
}
_MAX_TEXT = 60


@contextlib.contextmanager
def told(train_logdir, flags, descriptor):
  """Warns of flags that are not those of the run in a folder; explains why weights do not fit.

  Args:
    train_logdir: folder of a run, or of none yet.
    flags: dict, name -> value of every flag of this start.
    descriptor: DatasetDescriptor.

  Raises:
    ValueError: in the context, the checkpoint was found to be of another model.
  """
  is_continued = restoring.resolve_checkpoint(train_logdir) is not None
  record = run_record.read(train_logdir) if is_continued else None
  changed = {name: values for name, values in run_record.changes(record, flags).items()
             if name not in NOT_OF_WEIGHTS}
  if changed:
    logging.warning('Flags that differ from the last start of this run: %s',
                    ' '.join(_sentence(name, *changed[name]) for name in changed))
  try:
    yield
  except restoring.OtherModelError as error:
    reasons = {name: _sentence(name, *changed[name]) for name in changed
               if name == 'optimizer' or name in run_record.ARCHITECTURE_FLAGS}
    if error.num_classes:
      reasons['num_classes'] = 'It has %d classes, but %s has %d.' % (
          error.num_classes[0], descriptor.name, error.num_classes[1])
    if not reasons:
      raise
    raise ValueError('%s cannot be continued like this. %s %s' % (
        error.checkpoint, ' '.join(reasons.values()), _advice(error.checkpoint, reasons, record))
    ) from error


def _advice(checkpoint, reasons, record):
  """Returns a sentence on what to do about what is different."""
  start = ''
  if set(reasons) <= {'optimizer', 'num_classes'}:
    start = ' that starts from its weights: --tf_initial_checkpoint=%s' % checkpoint
    if 'num_classes' in reasons:
      start += ' --initialize_last_layer=false --last_layers_contain_logits_only'
  return 'Repeat the command of the run%s, or begin another one in a new --train_logdir%s.' % (
      ', which is in its %s' % run_record.FILE_NAME if record else '', start)


def _sentence(name, was, now):
  """Returns what the values of a flag are, and what that means."""
  return '%s, but the run has %s%s.' % (
      _text(name, now), _text(name, was), ': ' + MEANINGS[name] if name in MEANINGS else '')


def _text(name, value):
  if value is None or value == '':
    return 'no --%s' % name
  text = ','.join(map(str, value)) if isinstance(value, list) else str(value)
  return '--%s=%s' % (name, text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + '...')
