"""The flag that bounds the size of images, for all scripts that decode any."""
from absl import flags

from deeplab.command_line import flag_groups
from deeplab.core.images import limits

FLAGS = flags.FLAGS


def define_image_limit_flag(group):
  """Declares the flag in the group of a title, unless this process already has it.

  Several scripts can be imported by one process, as benchmarks and tests do.
  """
  if 'max_image_pixels' in FLAGS:
    return
  flag_groups.begin(group)
  flags.DEFINE_integer('max_image_pixels', limits.DEFAULT_MAX_PIXELS,
                       'Most pixels of an image or label map: a file that states more is '
                       'refused before memory is taken for it; 0: no limit.', lower_bound=0)


def obey_image_limit_flag():
  """Sets the limit of this process, where a script has the flag."""
  if 'max_image_pixels' in FLAGS:
    limits.set_max_pixels(FLAGS.max_image_pixels)
