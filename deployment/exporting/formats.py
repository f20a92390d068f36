"""The formats of exported models: how each is written, and what it asks for.

Formats are the rows of `FORMATS`; `checked_export` writes them.
"""
import os
import typing

import numpy as np

from deeplab.core import usage
from deeplab.core.settings import Setting
from deeplab.core.storage import files
from deeplab.core.tf_compat import tf
from deeplab.core.usage import UsageError
from deeplab.deployment.exporting import comparison
from deeplab.deployment.formats import onnx, tflite_converter
from deeplab.deployment.graphs import freezing, record

TFLITE_KIND = Setting(
    'float32', 'Numbers of the TFLite file. int8 needs --dataset_dir for the ranges of the '
    'activations; qat is for models trained with --quantize_delay_step.',
    choices=sorted(tflite_converter.KINDS), group=freezing.GROUP)


class Source(typing.NamedTuple):
  """What is exported."""
  checkpoint: str  # Checkpoint prefix.
  model_options: typing.Any  # ModelOptions.
  # Function (images, model_options) -> predictions as `model.predict_labels`.
  predict: typing.Callable
  options: freezing.ExportOptions = freezing.ExportOptions()
  # List of uint8 [height, width, 3] arrays to check with, of the dataset; if empty, drawn ones.
  pictures: typing.Sequence[np.ndarray] = ()
  # Function () -> list of uint8 [H, W, 3] of crop size, for TFLite files of 8 bits; or None.
  representative_images: typing.Optional[typing.Callable] = None
  tflite_kind: str = TFLITE_KIND.default  # Key of `tflite_converter.KINDS`.
  # Function (list of int32 [height, width], the labels of `pictures`) -> mean IoU, 0..1; or None.
  score: typing.Optional[typing.Callable] = None


class Format(typing.NamedTuple):
  """A format."""
  ending: str  # What is added to the common name where several formats are written.
  save: typing.Callable  # Function (frozen GraphDef, Source, path) that writes the file or folder.
  fixed_options: dict  # Dict, fields of ExportOptions that are the same for all models within.
  # Function (Source) that raises a ValueError where the format cannot be written.
  check: typing.Callable = lambda unused_source: None
  # Function (Source) -> comparison.Limits.
  limits: typing.Callable = lambda unused_source: comparison.FLOAT
  has_crop_size: bool = False  # Whether images must be of crop size.
  needs_ending: bool = False  # Whether readers know the format by the ending.
  # Names of the settings, flags of `export_model.py`, that files of it may differ by.
  served: typing.FrozenSet[str] = frozenset()

  def options(self, source):
    """Returns the ExportOptions of the model within."""
    size = {'input_size': source.model_options.crop_size} if self.has_crop_size else {}
    return source.options._replace(**dict(self.fixed_options, **size))

  def write(self, source, path):
    """Writes a Source to a path."""
    frozen, _ = freezing.freeze(source.checkpoint, source.model_options, source.predict,
                                self.options(source))
    self.save(frozen, source, path)


def paths(formats, export_path):
  """Returns the path per format.

  A single format is written to `export_path` itself. Of several, each replaces the suffix of a
  known format, if there is one, by its own; the frozen graph keeps `export_path` where that has no
  suffix of another format. Raises ValueError if there is no such format, or one is given twice.
  """
  for name in formats:
    usage.lookup(FORMATS, name, what='format')
  if not formats or len(set(formats)) < len(formats):
    raise UsageError('--format must be different names of %s, got %s.' % (
        ', '.join(sorted(FORMATS)), ','.join(formats) or 'nothing'))
  if len(formats) == 1:
    ending = FORMATS[formats[0]].ending
    if FORMATS[formats[0]].needs_ending and not export_path.endswith(ending):
      raise UsageError('Files of format %s are known by their suffix: --export_path=%s must '
                       'end in %s.' % (formats[0], export_path, ending))
    return [export_path.rstrip(os.sep)]
  base, suffix = os.path.splitext(export_path)
  if suffix not in {row.ending for row in FORMATS.values()}:
    base = export_path.rstrip(os.sep)
  return [base + FORMATS[name].ending for name in formats]


def served_settings():
  """Returns the sorted names of the settings that only some formats serve."""
  return sorted({name for row in FORMATS.values() for name in row.served})


def check_served(formats, given):
  """Raises ValueError for a setting that none of the formats serves; names those that do.

  Formats are keys of FORMATS, which is checked too; `given` is a dict, name of a setting -> how it
  was given, '' if it was not.
  """
  rows = [usage.lookup(FORMATS, name, what='format') for name in formats]
  for setting, text in sorted(given.items()):
    if text and not any(setting in row.served for row in rows):
      serving = sorted(name for name, row in FORMATS.items() if setting in row.served)
      raise UsageError('%s has no effect with --format=%s: it is for %s. Leave it out, or add %s '
                       'to the formats.' % (text, ','.join(formats), ', '.join(serving),
                                            ' or '.join(serving)))


def _save_saved_model(graph_def, unused_source, folder):
  """Writes a frozen graph as SavedModel that TensorFlow 2 and TensorFlow Serving load.

      images uint8 [batch, height, width, 3]
        --> labels int32 [batch, height, width],
            probabilities float32 [batch, height, width, classes]

  It takes any number of images and always has probabilities. The folder must not exist.
  """
  with tf.Graph().as_default(), tf.Session() as session:
    images, labels, probabilities = tf.import_graph_def(
        graph_def, name='', return_elements=[name + ':0' for name in (
            record.INPUT_NAME, record.OUTPUT_NAME, record.PROBABILITIES_NAME)])
    signature = tf.saved_model.predict_signature_def(
        inputs={record.IMAGES_KEY: images},
        outputs={record.LABELS_KEY: labels, record.PROBABILITIES_KEY: probabilities})
    builder = tf.saved_model.Builder(folder)
    builder.add_meta_graph_and_variables(
        session, [record.TAG], signature_def_map={record.SIGNATURE: signature},
        strip_default_attrs=True)
    builder.save()


def _save_tflite(graph_def, source, path):
  kind = source.tflite_kind
  images = source.representative_images() if tflite_converter.KINDS[kind].needs_images else None
  files.write_bytes(path, tflite_converter.convert(
      graph_def, kind, record.INPUT_NAME, record.OUTPUT_NAME, source.model_options.crop_size,
      images))


def _check_tflite(source):
  row = tflite_converter.check_kind(source.tflite_kind)
  is_quantized = source.model_options.quantize_delay_step >= 0
  if (source.tflite_kind == 'qat') != is_quantized:
    raise ValueError('The model was %strained with --quantize_delay_step, so its TFLite file '
                     'cannot be of kind %r: take --tflite_kind=%s.' % (
                         '' if is_quantized else 'not ', source.tflite_kind,
                         'qat' if is_quantized else 'int8'))
  if not source.model_options.crop_size:
    raise UsageError('A TFLite file has a fixed input size: give --crop_size.')
  if source.options.resized_size:
    raise UsageError('A TFLite file has a fixed input size: leave --min_resize_value out.')
  if row.needs_images and source.representative_images is None:
    raise UsageError('TFLite files of kind %r need pictures of the dataset: give --dataset_dir.'
                     % source.tflite_kind)


FROZEN = record.FROZEN
SAVED_MODEL = 'savedmodel'
TFLITE = 'tflite'
ONNX = 'onnx'

_OF_GRAPH = frozenset({'dynamic_batch', 'export_probabilities', 'half_weights', 'optimize'})
_LABELS_OF_ONE = {'dynamic_batch': False, 'export_probabilities': False, 'half_weights': False}

FORMATS = {
    FROZEN: Format('.pb', lambda graph_def, unused_source, path: files.write_bytes(
        path, graph_def.SerializeToString()), {}, served=_OF_GRAPH),
    SAVED_MODEL: Format('_saved_model', _save_saved_model,
                        {'dynamic_batch': True, 'export_probabilities': True}, served=_OF_GRAPH),
    TFLITE: Format('.tflite', _save_tflite, dict(_LABELS_OF_ONE, optimize=True), _check_tflite,
                   lambda source: comparison.TFLITE[source.tflite_kind],
                   has_crop_size=True, needs_ending=True, served=frozenset({'tflite_kind'})),
    ONNX: Format('.onnx', lambda graph_def, unused_source, path: onnx.write(graph_def, path),
                 _LABELS_OF_ONE, lambda unused_source: onnx.check_installed(),
                 needs_ending=True, served=frozenset({'optimize'})),
}
