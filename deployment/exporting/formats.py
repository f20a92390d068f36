"""The formats of exported models: how each is written, and what it asks for.

Formats are the rows of `FORMATS`; `checked_export` writes them.
"""
import os
import typing

import numpy as np

from deeplab.core import usage
from deeplab.core.storage import files
from deeplab.core.usage import UsageError
from deeplab.deployment.exporting import comparison
from deeplab.deployment.formats import onnx, saved_model, tflite_converter
from deeplab.deployment.graphs import freezing, record


class Source(typing.NamedTuple):
  """What is exported.

  Attributes:
    checkpoint: checkpoint prefix.
    model_options: ModelOptions.
    predict: function (images, model_options) -> predictions as `model.predict_labels`.
    options: ExportOptions.
    pictures: list of uint8 [height, width, 3] arrays to check with, of the dataset; if empty,
      drawn ones.
    representative_images: function () -> list of uint8 [H, W, 3] of crop size, for TFLite
      files of 8 bits; or None.
    tflite_kind: key of `tflite_converter.KINDS`.
    score: function (list of int32 [height, width], the labels of `pictures`) -> mean IoU, 0..1;
      or None.
  """
  checkpoint: str
  model_options: typing.Any
  predict: typing.Callable
  options: freezing.ExportOptions = freezing.ExportOptions()
  pictures: typing.Sequence[np.ndarray] = ()
  representative_images: typing.Optional[typing.Callable] = None
  tflite_kind: str = 'float32'
  score: typing.Optional[typing.Callable] = None


class Format(typing.NamedTuple):
  """A format.

  Attributes:
    ending: what is added to the common name where several formats are written.
    write: function (Source, path).
    check: function (Source) that raises a ValueError where the format cannot be written.
    options: function (Source) -> ExportOptions of the model within.
    limits: function (Source) -> comparison.Limits.
    has_crop_size: whether images must be of crop size.
    needs_ending: whether readers know the format by the ending.
    served: names of the settings, flags of `export_model.py`, that files of it may differ by.
  """
  ending: str
  write: typing.Callable
  check: typing.Callable
  options: typing.Callable
  limits: typing.Callable = lambda unused_source: comparison.FLOAT
  has_crop_size: bool = False
  needs_ending: bool = False
  served: typing.FrozenSet[str] = frozenset()


def paths(formats, export_path):
  """Returns the path per format.

  A single format is written to `export_path` itself. Of several, each replaces the suffix of
  a known format, if there is one, by its own; the frozen graph keeps `export_path` where that
  has no suffix of another format.

  Raises:
    ValueError: there is no such format, or one is given twice.
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
  """Stops on a setting that none of the formats serves.

  Args:
    formats: list of keys of FORMATS.
    given: dict, name of a setting -> how it was given, '' if it was not.

  Raises:
    ValueError: names the setting and the formats that serve it; or there is no such format.
  """
  rows = [usage.lookup(FORMATS, name, what='format') for name in formats]
  for setting, text in sorted(given.items()):
    if text and not any(setting in row.served for row in rows):
      serving = sorted(name for name, row in FORMATS.items() if setting in row.served)
      raise UsageError('%s has no effect with --format=%s: it is for %s. Leave it out, or add %s '
                       'to the formats.' % (text, ','.join(formats), ', '.join(serving),
                                            ' or '.join(serving)))


def _any_options(source):
  return source.options


def _one_image_options(source):
  return source.options._replace(batch_size=1, with_probabilities=False)


def _saved_model_options(source):
  return source.options._replace(batch_size=None, with_probabilities=True)


def _write_frozen(source, path):
  files.write_bytes(path, _frozen(source, source.options).SerializeToString())


def _write_saved_model(source, path):
  saved_model.write(_frozen(source, _saved_model_options(source)), path)


def _write_tflite(source, path):
  size, kind = source.model_options.crop_size, source.tflite_kind
  options = _one_image_options(source)._replace(input_size=size, optimize=True)
  images = source.representative_images() if tflite_converter.KINDS[kind].needs_images else None
  files.write_bytes(path, tflite_converter.convert(
      _frozen(source, options), kind, record.INPUT_NAME, record.OUTPUT_NAME, size, images))


def _write_onnx(source, path):
  onnx.write(_frozen(source, _one_image_options(source)), path)


def _frozen(source, options):
  return freezing.freeze(source.checkpoint, source.model_options, source.predict, options)[0]


def _nothing_to_check(unused_source):
  pass


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


def _check_onnx(unused_source):
  onnx.check_installed()


FROZEN = record.FROZEN
SAVED_MODEL = 'savedmodel'
TFLITE = 'tflite'
ONNX = 'onnx'

_OF_GRAPH = frozenset({'dynamic_batch', 'export_probabilities', 'optimize'})

FORMATS = {
    # A SavedModel always takes any number of images, and has probabilities.
    FROZEN: Format('.pb', _write_frozen, _nothing_to_check, _any_options, served=_OF_GRAPH),
    SAVED_MODEL: Format('_saved_model', _write_saved_model, _nothing_to_check,
                        _saved_model_options, served=_OF_GRAPH),
    TFLITE: Format('.tflite', _write_tflite, _check_tflite, _one_image_options,
                   lambda source: comparison.TFLITE[source.tflite_kind],
                   has_crop_size=True, needs_ending=True, served=frozenset({'tflite_kind'})),
    ONNX: Format('.onnx', _write_onnx, _check_onnx, _one_image_options,
                 needs_ending=True, served=frozenset({'optimize'})),
}
