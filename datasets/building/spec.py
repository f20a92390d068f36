"""Records that declare a raw dataset: its pairs of files, splits and classes."""
import typing


class Example(typing.NamedTuple):
  """One image and its label map on disk.

  Attributes:
    name: name of the record.
    image_path: path of the image, of any format Pillow reads.
    label: path of the label map, a PNG of class ids; or a label source (see
      `label_sources.py`); None only in the split 'test'.
    landmarks: body points as numbers, [1, num_points, 2 or more]; or the path of a JSON file
      with them, as it is or under the key 'pose_landmarks'; None: none.
  """
  name: str
  image_path: str
  label: typing.Any = None
  landmarks: typing.Any = None


class DatasetSpec(typing.NamedTuple):
  """A raw dataset, ready to be built.

  Attributes:
    name: name of the dataset.
    splits: dict, split name -> list of Example, in the order of the records.
    num_classes: number of class ids, at most 256.
    ignore_label: label value that takes no part in training and evaluation, 0..255.
    class_names: one name per class id, or None.
    colormap: name in `core.colormaps.COLORMAPS`, list of [r, g, b] per class id, or None.
    num_shards: number of shards per split, at most.
    shard_size: number of examples per shard, which then decides instead of num_shards, or
      None.
    image_range: (lowest, highest) value of images of more than 8 bits, which become black and
      white; or `image_range.AUTO`; None: as `image_range.resolve` says.
    labels_as_stored: whether labels were drawn on the pixels as image files store them, and are
      turned with the image where EXIF says how.
    label_map: dict, value in the label file -> class id or ignore_label, or None to take the
      values as they are. With a map, values that are not in it are an error, the ignore label
      excepted. Label sources give class ids, which no map changes.
  """
  name: str
  splits: typing.Dict[str, typing.Sequence[Example]]
  num_classes: int
  ignore_label: int
  class_names: typing.Optional[typing.Sequence[str]] = None
  colormap: typing.Any = None
  num_shards: int = 4
  label_map: typing.Optional[typing.Dict[int, int]] = None
  shard_size: typing.Optional[int] = None
  image_range: typing.Any = None
  labels_as_stored: bool = False
