"""What the builders of the Forma sets share: flags, and the steps between raw files and records.

Importing it declares the flags that all of them have; those of combined sets have no others.
Body parts come as class-id PNGs of the nine Forma classes, from --parts_dir or drawn by an
exported model (--parts_model).
"""
import hashlib
import os
import subprocess
import sys
import tempfile
import typing

from absl import flags, logging

from deeplab.command_line import flag_groups
from deeplab.core.storage import errors, files
from deeplab.core.usage import UsageError
from deeplab.datasets import registry
from deeplab.datasets.building import listing
from deeplab.datasets.flags import building
from deeplab.datasets.forma import storage

FLAGS = flags.FLAGS

_HASH_LENGTH = 12
_DRAWING_MODULE = 'deeplab.predict'
# Any whose classes are the nine.
_DRAWN_DATASET = 'forma54k'
_DRAWN_ENDING = '_prediction'
# Longer images are shrunk for the model.
_LONGEST_SIDE_PX = 1000
# With which predict.py tells that some pictures could not be labelled.
_BAD_FILES_CODE = 3


class Names(typing.NamedTuple):
  """The names of a set: as it is, and with --landmarks_dir."""
  plain: str
  with_landmarks: str


flag_groups.begin('storage')
flags.DEFINE_string('storage_dir', None, 'Root of the stored sets. Default: $%s, or %s.'
                    % (storage.ROOT_VARIABLE, storage.DEFAULT_ROOT))
building.define_task_flags()


def define_flags(names):
  """Declares more flags, of the builder of a single set with these Names."""
  building.define_work_flags()
  flag_groups.begin('set and body parts')
  flags.DEFINE_string('dataset_name', None,
                      'Name of the set, a folder under STORAGE_DIR/datasets. Default: %s, '
                      'with --landmarks_dir %s.' % names)
  flags.DEFINE_string('landmarks_dir', None,
                      'Folder of body landmarks, <image name>.json with the points under '
                      'pose_landmarks. Records whose file has the status failure are left '
                      'out. Default: no landmarks.')
  flags.DEFINE_string('parts_dir', None,
                      'Folder of class-id PNGs of the nine Forma classes, called like the '
                      'images. Default: what --parts_model draws, else none.')
  flags.DEFINE_string('parts_model', None,
                      'Frozen graph, as export_model.py writes it, that draws what --parts_dir '
                      'would hold. Default: none.')


def find_parts(names, examples):
  """Returns a dict, stem of an image -> its PNG of parts; None where no parts were given.

  With --parts_model, draws those of the Examples that are not there yet, for a set of Names.
  Raises ValueError if both flags are given, a file is missing, or the model cannot be used.
  """
  if FLAGS.parts_model and FLAGS.parts_dir:
    raise UsageError('--parts_dir and --parts_model exclude each other.')
  if FLAGS.parts_model:
    _check_drawing()
    folder = _draw_parts(names, [item.image_path for item in examples])
  elif FLAGS.parts_dir:
    folder = FLAGS.parts_dir
  else:
    return None
  found = listing.files_by_stem(folder, listing.LABEL_SUFFIXES, 'part labels')
  # Drawn ones have an ending.
  found = {stem[:-len(_DRAWN_ENDING)] if stem.endswith(_DRAWN_ENDING) else stem: path
           for stem, path in found.items()}
  stems = [item.image_stem for item in examples]
  if FLAGS.on_error == 'stop':
    listing.require_all(stems, found, folder, 'part label', 'images')
  return {stem: found.get(stem) or listing.absent_path(folder, stem) for stem in stems}


def combine(name):
  """Puts a combined set together as the flags say; see `storage.combine`.

  Raises ValueError if there is a flag of shared builds, or a part is not as it must be.
  """
  building.refuse_tasks('the shards of %s are those of its parts, there is nothing to share. Build '
                      'the parts with it, and when they are merged run this once without.' % name)
  storage.combine(FLAGS.storage_dir, name)


def build(names, splits, label_map=None):
  """Builds a set as the flags say; see `storage.build`."""
  if FLAGS.landmarks_dir:
    splits = storage.with_landmarks(splits, FLAGS.landmarks_dir)
  return storage.build(FLAGS.storage_dir, _set_name(names), splits, label_map,
                       **building.build_options())


def define_folder_flags(name):
  """Declares the flags of the builder of a published set: images, and labels in Forma classes."""
  define_flags(_folder_names(name))
  sizes = registry.DATASETS[name].splits_to_sizes
  flag_groups.begin('files and splits')
  flags.DEFINE_string('image_dir', None, 'Folder of the images. Required.')
  flags.DEFINE_string('label_dir', None,
                      'Folder of class-id PNGs of the nine Forma classes, called like the '
                      'images. Default: what --parts_model draws.')
  flags.DEFINE_integer('num_train', sizes['train'],
                       'Number of images of split train: the first by path.', lower_bound=0)
  flags.DEFINE_integer('num_trainval', sizes['trainval'],
                       'Number of images of split trainval: the next. The rest is val.',
                       lower_bound=0)


def build_folder_set(name, label_map=None):
  """Builds a set as the flags say; `label_map` is a dict, value in the label -> class id, or None.

  Raises ValueError if there are no labels, a split is empty, or a file cannot be used.
  """
  names = _folder_names(name)
  if FLAGS.label_dir and (FLAGS.parts_dir or FLAGS.parts_model):
    raise UsageError('--label_dir already says what each pixel is: leave out --parts_dir and '
                     '--parts_model.')
  examples = listing.find_pairs(FLAGS.image_dir, FLAGS.label_dir, on_error=FLAGS.on_error)
  if not FLAGS.label_dir:
    parts = find_parts(names, examples)
    if parts is None:
      raise UsageError('There are no labels: pass --label_dir, or --parts_model to draw them.')
    examples = [item._replace(label=parts[item.image_stem]) for item in examples]
  # The record is called by its path, as the published sets have it.
  examples = [item._replace(name=item.image_path) for item in examples]
  end = FLAGS.num_train + FLAGS.num_trainval
  return build(names, storage.split_at(examples, FLAGS.num_train, end), label_map)


def _folder_names(name):
  return Names(name, name + '_landmarks')


def _set_name(names):
  return FLAGS.dataset_name or (names.with_landmarks if FLAGS.landmarks_dir else names.plain)


def _check_drawing():
  """Stops where parts cannot be drawn on the way."""
  advice = ('draw them once with predict.py --outputs=prediction and pass their folder as '
            '--parts_dir.')
  building.refuse_tasks('--parts_model draws the parts of all images first: ' + advice)
  if files.is_remote(storage.dataset_dir(FLAGS.storage_dir, '')):
    raise UsageError('--parts_model draws into --storage_dir, which is beyond this machine; raw '
                     'files are read from folders here: ' + advice)


def _draw_parts(names, image_paths):
  """Labels images in another process, as threads do not survive forks; returns the folder."""
  with errors.told('--parts_model=%s cannot be read' % FLAGS.parts_model):
    digest = hashlib.sha256(files.read_bytes(FLAGS.parts_model)).hexdigest()
  folder = os.path.join(storage.dataset_dir(FLAGS.storage_dir, _set_name(names)), 'parts',
                        digest[:_HASH_LENGTH])
  logging.info('Drawing body parts with %s into %s', FLAGS.parts_model, folder)
  with tempfile.NamedTemporaryFile(suffix='.txt') as listed:
    listed.write('\n'.join(image_paths).encode('utf-8', 'surrogateescape'))
    listed.flush()
    code = subprocess.call(
        [sys.executable, '-m', _DRAWING_MODULE, '--model=' + FLAGS.parts_model,
         '--input=' + listed.name, '--output_dir=' + folder, '--outputs=prediction',
         '--skip_existing', '--longest_side=%d' % _LONGEST_SIDE_PX,
         '--dataset=' + _DRAWN_DATASET], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
  if code and not (code == _BAD_FILES_CODE and FLAGS.on_error == 'skip'):
    raise ValueError('--parts_model=%s: body parts could not be drawn, see above.'
                     % FLAGS.parts_model)
  return folder
