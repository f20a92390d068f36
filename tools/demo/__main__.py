"""Labels sample people with the model that comes with this project, and says how well; see --help.

    deeplab demo

The model has not seen these people. Leaves in OUTPUT_DIR their pictures, labels and predictions,
all of them on sheet.png, and metrics.json and per_image.csv as eval.py does.
"""
if __package__ is None:
  import packages_needed  # noqa: F401

import os

import numpy as np
from absl import flags, logging
from PIL import Image

from deeplab import common
from deeplab.core.storage import files
from deeplab.core.usage import UsageError
from deeplab.datasets import registry
from deeplab.datasets.sample_people import contact_sheet, raw_folders
from deeplab.datasets.sample_people.canvas import IGNORE, NUM_CLASSES
from deeplab.deployment import inference
from deeplab.evaluation.semantic import image_results, report, segmentation_metrics
from deeplab.utils.pictures import drawing

FLAGS = flags.FLAGS

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'sample_people.pb')

common.begin_flag_group('demo')
flags.DEFINE_string('output_dir', os.path.join('experiments', 'demo'),
                    'Folder for the results; created.')
flags.DEFINE_integer('num_val', 100, 'Number of pictures, the first of the split val that '
                     '`deeplab build-sample` makes.', lower_bound=1)


def main(unused_argv):
  """Renders and labels the pictures, and prints the table."""
  if not FLAGS.output_dir:
    raise UsageError('--output_dir must name a folder.')
  raw_dir = os.path.join(FLAGS.output_dir, 'raw')
  settings = raw_folders.Settings(seed=0, num_train=0, num_val=FLAGS.num_val)
  raw_folders.write(raw_dir, settings)
  examples = raw_folders.find_examples(raw_dir, settings)['val']
  segmenter = inference.Segmenter(MODEL)
  results = image_results.ImageResults(NUM_CLASSES, IGNORE, segmenter.colormap)
  predictions, counts = {}, 0
  for example in examples:
    image, truth = [np.asarray(Image.open(path)) for path in (example.image_path, example.label)]
    found, = segmenter.run([image])
    results.add(example.name, image, truth, found)
    counts += segmentation_metrics.confusion_matrix(truth, found, NUM_CLASSES, IGNORE)
    predictions[example.image_path] = path = os.path.join(
        FLAGS.output_dir, example.name + '_prediction.png')
    with files.telling_of_disk(path), files.atomic_path(path) as temporary:
      drawing.ids_picture(found).save(temporary, 'PNG')
  sheet = os.path.join(FLAGS.output_dir, 'sheet.png')
  contact_sheet.write(sheet, examples, num_rows=1, predictions=predictions)
  facts = report.make_report(
      counts, registry.FORMA_CLASSES, results.boundary_counts, dataset='sample_people',
      split='val', num_examples=len(examples), checkpoint=os.path.basename(MODEL))
  report.write_report(facts, FLAGS.output_dir)
  image_results.write_per_image(results.rows, registry.FORMA_CLASSES, FLAGS.output_dir)
  print('\n'.join(segmentation_metrics.format_table(facts)))
  logging.info('Pictures, their labels and the predictions: %s', sheet)


if __name__ == '__main__':
  common.run(main)
