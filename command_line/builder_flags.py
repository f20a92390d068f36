"""Flags that all builders of records share."""
from absl import flags

from deeplab.command_line import flag_groups
from deeplab.datasets import forma_storage, shard_writer

FLAGS = flags.FLAGS


def define_builder_flags():
  """Declares the flags of all dataset builders; `build_options` returns their values."""
  flag_groups.begin('work and errors')
  flags.DEFINE_integer('num_processes', None,
                       'Number of worker processes; each takes about one processor. Default: '
                       'one per processor.', lower_bound=1)
  flags.DEFINE_enum('on_error', shard_writer.STOP, shard_writer.ON_ERROR,
                    'At an image or label that cannot be used: stop, or skip it, count it in '
                    'the log and list it in skipped_<split>.txt beside the records.')


def build_options():
  """Returns the keyword arguments of `builder.build_dataset` that are flags."""
  return {'num_processes': FLAGS.num_processes, 'on_error': FLAGS.on_error}


def define_storage_flag():
  """Declares the flag that says where the Forma sets are."""
  flag_groups.begin('storage')
  flags.DEFINE_string('storage_dir', None,
                      'Root of the stored sets. Default: $%s, or %s.'
                      % (forma_storage.ROOT_VARIABLE, forma_storage.DEFAULT_ROOT))
