"""Flags of the random variation of training images, and how training images are read."""
from absl import flags

from deeplab.command_line import declaring, flag_groups, flag_reading
from deeplab.core.images import augmentation
from deeplab.core.usage import UsageError
from deeplab.datasets import data_generator
from deeplab.datasets import registry as dataset_registry

FLAGS = flags.FLAGS

_NO_AUGMENTATION = 'none'


def define_augmentation_flags():
  """Declares the flags of random variation; `augmentation_of` returns their values."""
  flag_groups.begin(augmentation.GROUP)
  flags.DEFINE_enum('augmentation', None, sorted(augmentation.AUGMENTATIONS),
                    'Preset of the flags below, each of which may be given too. none: only '
                    'crops; deeplab: scale and flip; forma: all. Default: forma for datasets '
                    'of the nine Forma classes, such as the sample people, else deeplab.')
  declaring.declare(augmentation.RandomScale)
  # Not given: the preset's.
  for name, row in augmentation.Augmentation.SETTINGS.items():
    declaring.declare_one(name, row._replace(
        default=None, kind=row.kind or float, help='%s %s' % (row.help, _default_text(name))))
  declaring.declare(data_generator.Reading)


def _default_text(name):
  """Returns a sentence on the value that a flag has in presets where its step is not off."""
  off = getattr(augmentation.AUGMENTATIONS[_NO_AUGMENTATION], name)
  presets = {}  # value -> names of presets
  for preset, values in sorted(augmentation.AUGMENTATIONS.items()):
    value = getattr(values, name)
    if value != off or preset == 'forma':
      text = ','.join(map(str, value)) if isinstance(value, tuple) else str(value)
      presets.setdefault(text, []).append(preset)
  return 'Default: %s, else off.' % '; '.join(
      '%s with augmentation %s' % (text, ' and '.join(names))
      for text, names in presets.items())


def scale_factors():
  """Returns (least, largest) random scale of training images."""
  if FLAGS.augmentation == _NO_AUGMENTATION and not (
      FLAGS['min_scale_factor'].present or FLAGS['max_scale_factor'].present):
    return 1., 1.
  return FLAGS.min_scale_factor, FLAGS.max_scale_factor


def augmentation_of(descriptor):
  """Returns the Augmentation of the flags for a DatasetDescriptor; ValueError names a bad flag."""
  is_forma = tuple(descriptor.class_names or ()) == dataset_registry.FORMA_CLASSES
  preset = FLAGS.augmentation or ('forma' if is_forma else 'deeplab')
  values = {name: FLAGS[name].value for name in augmentation.Augmentation._fields
            if FLAGS[name].value is not None}
  for name, counts in (('affine_stddev', (1, 6)), ('saturation', (2,)), ('contrast', (2,))):
    if name in values:
      is_off = values[name] == ['0'] and counts == (2,)
      values[name] = (1., 1.) if is_off else flag_reading.number_list(name, counts)
  if len(values.get('affine_stddev', ())) == 1:
    values['affine_stddev'] = values['affine_stddev'][0]
  for name in ('saturation', 'contrast'):
    if name in values and values[name][0] > values[name][1]:
      raise UsageError('--%s=%g,%g: the least factor comes first.' % ((name,) + values[name]))
  return augmentation.AUGMENTATIONS[preset]._replace(**values)
