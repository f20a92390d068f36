"""Latency, memory and size of exported models, beside the TF1 lane and PyTorch.

One image after the other; models with random weights are as fast as trained ones.
"""
import os
import pathlib
import tempfile
import typing

import numpy as np

from deeplab import model
from deeplab.core import keys, options, usage
from deeplab.deployment import opened_models
from deeplab.deployment.exporting import formats
from deeplab.deployment.graphs import freezing
from deeplab.testing import tiny_run
from deeplab.tools.benchmarks import child

_CROP = 513
_NUM_CLASSES = 21
_WARM_UP_RUNS, _LEAST_RUNS, _LEAST_SECS = 3, 10, 5.0
_NUM_REPRESENTATIVE_IMAGES = 8
_OPTIMISED, _PLAIN = 'frozen graph, optimised', 'frozen graph, as trained'
_TFLITE_FLOAT, _TFLITE_INT8 = 'TFLite, float32', 'TFLite, int8'
_ON_TF1 = '%s, ' + child.TF1_LANE


class Format(typing.NamedTuple):
  """A row of FORMATS: key of `formats.FORMATS`, and fields of its Source."""
  name: str
  fields: dict = {}

  def source(self, checkpoint, model_options):
    """Returns the formats.Source of a checkpoint."""
    return formats.Source(
        checkpoint, model_options, model.predict_labels, representative_images=lambda: _images(
            model_options.crop_size, _NUM_REPRESENTATIVE_IMAGES), **self.fields)


FORMATS = {
    _OPTIMISED: Format(formats.FROZEN),
    _PLAIN: Format(formats.FROZEN, {'options': freezing.ExportOptions(optimize=False)}),
    'SavedModel': Format(formats.SAVED_MODEL),
    _TFLITE_FLOAT: Format(formats.TFLITE),
    'TFLite, float16': Format(formats.TFLITE, {'tflite_kind': 'float16'}),
    'TFLite, dynamic range': Format(formats.TFLITE, {'tflite_kind': 'dynamic'}),
    _TFLITE_INT8: Format(formats.TFLITE, {'tflite_kind': 'int8'}),
    'ONNX': Format(formats.ONNX),
}


class Inference(typing.NamedTuple):
  """A row of INFERENCES: a backbone, its model, and what is to be reached."""
  model: dict = {}  # Dict of fields of ModelOptions.
  has_peer: bool = False  # Whether PyTorch has the same network.
  # Least speed of the optimised graph as a multiple of the TF1 lane.
  tf1_target: typing.Optional[float] = None
  peer_target: typing.Optional[float] = None  # The same of PyTorch.
  # Least speed of TFLite in 8 bits as a multiple of TFLite in floats.
  int8_target: typing.Optional[float] = None


INFERENCES = {
    'mobilenet_v2': Inference(has_peer=True, tf1_target=2.4, peer_target=2.5, int8_target=1.5),
    'xception_65': Inference(
        model={'atrous_rates': [6, 12, 18], 'decoder_output_stride': [4]}, tf1_target=1.5,
        int8_target=1.5),
}


def measure_all(settings):
  """Yields the rows of `__main__`; variants of the settings: keys of INFERENCES."""
  variants = settings.variants or sorted(INFERENCES)
  rows = [usage.lookup(INFERENCES, variant, what='backbone of this benchmark')
          for variant in variants]
  for variant, inference in zip(variants, rows):
    with tempfile.TemporaryDirectory() as folder:
      yield from rows_of(variant, inference, settings, folder)


def rows_of(variant, inference, settings, folder):
  """Yields the rows of an Inference of a backbone, whose models are written to a folder."""
  runs, sizes, left_out = _write_models(variant, inference, settings.peers, folder)
  turns = child.measure_in_turns(runs, settings.repeats)
  for name in runs:
    row = _row_of_format('%s, %s' % (variant, name), [turn[name] for turn in turns],
                         sizes.get(name))
    yield dict(row, backbone=variant, format=name)
  for name, other, target in (
      (_OPTIMISED, _ON_TF1 % _PLAIN, inference.tf1_target),
      (_OPTIMISED, _ON_TF1 % _OPTIMISED, None),
      (_OPTIMISED, _PLAIN, None),
      (_OPTIMISED, child.PYTORCH, inference.peer_target),
      (_TFLITE_INT8, _TFLITE_FLOAT, inference.int8_target)):
    if name in runs and other in runs:
      yield child.row(
          '%s, speed of %s / %s' % (variant, name, other),
          [np.median(turn[other]['secs']) / np.median(turn[name]['secs']) for turn in turns],
          'x', '>=', target)
  for name, reason in left_out.items():
    yield {'what': '%s, %s' % (variant, name), 'left_out': reason}


def markdown_table(rows):
  """Returns the rows of `measure_all` as a table of Markdown, and one of the ratios."""
  formats_table = child.markdown_table(
      ['backbone', 'format', 'p50 ms', 'p95 ms', 'images/s', 'peak memory MiB', 'file MB'],
      [['`%s`' % row['backbone'], row['format'], '%.1f' % row['p50_ms'], '%.1f' % row['p95_ms'],
        '%.1f' % row['value'], '%.0f' % row['peak_memory_mib'],
        '%.1f' % row['file_mb'] if 'file_mb' in row else ''] for row in rows if 'p50_ms' in row])
  ratios_table = child.markdown_table(
      ['ratio', 'measured', 'target'],
      [[row['what'], '%.2f' % row['value'], row.get('target', '')]
       for row in rows if row.get('unit') == 'x'])
  return '\n'.join(formats_table + [''] + ratios_table)


def _row_of_format(what, runs, size):
  """Returns the row of a format: images/s, with latency, memory and file size."""
  millisecs = 1e3 * np.concatenate([run['secs'] for run in runs])
  p50, p95 = np.percentile(millisecs, [50, 95]).tolist()
  memory = float(np.median([run['peak_memory_mib'] for run in runs]))
  row = dict(child.row(what, 1e3 / p50, 'images/s'), p50_ms=p50, p95_ms=p95,
             peak_memory_mib=memory, note='p50 %.1f ms, p95 %.1f ms, %.0f MiB' % (
                 p50, p95, memory))
  if size:
    row['file_mb'] = size / 1e6
    row['note'] += ', file %.1f MB' % row['file_mb']
  return row


def _write_models(variant, inference, peers, folder):
  """Writes the models; returns dicts: Runs, sizes of files, reasons for what is left out."""
  model_arguments = {'variant': variant, 'crop': _CROP, 'model': inference.model}
  checkpoint = child.measure(child.Run(
      write_checkpoint, dict(model_arguments, folder=folder)))['checkpoint']
  lanes, left_out = [], {}
  for name, row in FORMATS.items():
    try:
      formats.FORMATS[row.name].check(
          row.source(checkpoint, _model_options(**model_arguments)))
      lanes.append((name, name, None))
    except ValueError as error:
      left_out[name] = str(error)
  pythons = child.other_interpreters(peers and inference.has_peer)
  left_out.update((name, child.NO_INTERPRETER[name])
                  for name, python in pythons.items() if not python)
  if pythons[child.TF1_LANE]:
    lanes += [(_ON_TF1 % name, name, pythons[child.TF1_LANE]) for name in (_OPTIMISED, _PLAIN)]
  runs, sizes = {}, {}
  for name, format_name, python in lanes:
    path = os.path.join(folder, 'model_%d%s' % (
        len(runs), formats.FORMATS[FORMATS[format_name].name].ending))
    # Each lane runs what it wrote: TensorFlow 1 does not know all of today's attributes.
    child.measure(child.Run(write_model, dict(
        model_arguments, checkpoint=checkpoint, path=path, format_name=format_name),
                            python=python))
    sizes[name] = _size(path)
    runs[name] = child.Run(run_secs, {'path': path, 'crop': _CROP}, python=python)
  if pythons.get(child.PYTORCH):
    runs[child.PYTORCH] = child.Run((child.TORCH_PEER, 'infer'), {
        'crop': _CROP, 'num_classes': _NUM_CLASSES, 'least_steps': _LEAST_RUNS,
        'least_secs': _LEAST_SECS}, python=pythons[child.PYTORCH])
  return runs, sizes, left_out


def _size(path):
  """Returns the bytes of a file, or of all files of a folder."""
  path = pathlib.Path(path)
  return sum(each.stat().st_size for each in [path, *path.rglob('*')] if each.is_file())


def write_checkpoint(variant, crop, model, folder):
  """Returns {'checkpoint': prefix} of random weights, written to a folder."""
  return {'checkpoint': tiny_run.write_checkpoint(
      folder, _images((crop, crop))[0], _model_options(variant, crop, model))}


def write_model(variant, crop, model, checkpoint, path, format_name):
  """Writes a checkpoint in a format, a key of FORMATS; returns {}."""
  row = FORMATS[format_name]
  formats.FORMATS[row.name].write(
      row.source(checkpoint, _model_options(variant, crop, model)), path)
  return {}


def run_secs(path, crop, least_runs=_LEAST_RUNS, least_secs=_LEAST_SECS):
  """Returns {'secs': [...]}, the seconds of each run of an exported model on one square image."""
  opened = opened_models.open_exported(path)
  images = np.stack(_images((crop, crop)))
  turns = child.secs_of_calls([lambda: opened.predict(images)], _WARM_UP_RUNS, least_runs,
                              least_secs)
  return {'secs': [secs for secs, in turns]}


def _model_options(variant, crop, model):
  return options.NetworkOptions(
      {keys.OUTPUT_TYPE: _NUM_CLASSES}, crop_size=[crop, crop], output_stride=16,
      model_variant=variant, **model)


def _images(size, count=1):
  """Returns images, uint8 [height, width, 3], of a size."""
  return [sample.image for sample in tiny_run.make_samples([size] * count)]
