"""From a checkpoint to a TFLite file; `tflite_model` runs it."""
import os

from absl import logging

from deeplab import model
from deeplab.core import files
from deeplab.deployment import export, exported, tflite_graph


def export_tflite(checkpoint, path, model_options, predict=model.predict_labels,
                  kind='float32', representative_images=None):
  """Writes the TFLite file of a checkpoint, whole or not at all.

  Its input is uint8 [1, H, W, 3], RGB; its output int32 [1, H, W], the labels. H and W are
  the crop size of `model_options`.

  Args:
    checkpoint: checkpoint prefix.
    path: file to write; its folder is created.
    model_options: ModelOptions with a crop size.
    predict: function (images, model_options) -> predictions as `model.predict_labels`.
    kind: key of `tflite_graph.KINDS`.
    representative_images: for kind 'int8', iterable of uint8 [H, W, 3], such as 100 images
      of the training set padded to H, W as in training.

  Raises:
    ValueError: the checkpoint is of another model, the converter of this TensorFlow cannot
      convert it, or the path cannot be written.
  """
  size = model_options.crop_size
  if not size:
    raise ValueError('A TFLite file has a fixed input size: give a crop size.')
  tflite_graph.check_kind(kind)
  _check_quantization(kind, model_options.quantize_delay_step)
  with exported.writing(path):
    files.make_dirs(os.path.dirname(files.absolute(path)))
  frozen, _ = export.freeze(
      checkpoint, model_options, predict,
      export.ExportOptions(input_size=size, optimize=kind != 'qat'))
  content = tflite_graph.convert(frozen, kind, exported.INPUT_NAME, exported.OUTPUT_NAME,
                                 size, representative_images)
  with exported.writing(path):
    files.write_bytes(path, content)
  logging.info('TFLite file, %s: %s (%.1f MB), uint8 %s -> int32 %s.', kind, path,
               len(content) / 1e6, [1] + list(size) + [3], [1] + list(size))


def _check_quantization(kind, quantize_delay_step):
  if kind == 'qat' and quantize_delay_step < 0:
    raise ValueError("TFLite files of kind 'qat' need a model trained with "
                     "--quantize_delay_step; for others take 'int8'.")
  if kind != 'qat' and quantize_delay_step >= 0:
    raise ValueError("A model trained with --quantize_delay_step becomes a TFLite file of "
                     "kind 'qat', not %r." % kind)
