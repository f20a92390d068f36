"""Annotations of the formats that datumaro reads, such as CVAT XML, as the content of a COCO file.

Reference: github.com/open-edge-platform/datumaro.
"""
from absl import logging

from deeplab.datasets.labels import areas, coco_labels

_WHOLE_PICTURE = ('label', 'caption')
_OUTLINES = ('polygon', 'rotated_bbox', 'ellipse')
_LINES = ('polyline', 'points')


def read_content(path, format_name, line_width):
  """Returns what coco_labels.CocoFile takes as content.

  Annotations keep their order of drawing (z_order). Those that cannot be painted have neither
  segmentation nor bbox; those of whole pictures are told of and left out.

  `path` is the file or folder of the dataset; the images must be where its format has them.
  `format_name` is what datumaro calls the format, or None: found by the files. `line_width` is that
  of polylines and points, in pixels. Raises ValueError if datumaro is not installed, or cannot read
  it.
  """
  try:
    import datumaro
  except ImportError as error:
    raise ValueError('%s needs datumaro to be read, which needs Python 3.10 or later: '
                     'pip install "deeplab[datumaro]".' % path) from error
  try:
    dataset = datumaro.Dataset.import_from(path, format_name)
    categories = dataset.categories().get(datumaro.AnnotationType.label)
    items = list(dataset)
  except Exception as error:
    # Its readers raise whatever the files lead to, and tell the reason in the cause.
    reasons = [str(each) or type(each).__name__ for each in (error, error.__cause__) if each]
    raise ValueError('%s cannot be read by datumaro%s: %s' % (
        path, ' as --datumaro_format=%s' % format_name if format_name else
        '; name its --datumaro_format, such as cvat', ' '.join(reasons))) from error
  images, annotations, num_whole = [], [], 0
  for number, item in enumerate(items):
    height, width = getattr(item.media, 'size', None) or (None, None)
    images.append({'id': number, 'file_name': '%s.*' % item.id, 'height': height, 'width': width})
    for annotation in item.annotations:
      if annotation.type.name in _WHOLE_PICTURE:
        num_whole += 1
      else:
        annotations.append(dict(
            _segmentation(annotation, line_width), image_id=number,
            id='%d, %s' % (len(annotations), annotation.type.name),
            category_id=getattr(annotation, 'label', None),
            **{coco_labels.LAYER: getattr(annotation, 'z_order', 0)}))
  if num_whole:
    logging.warning('%s: %d labels or captions of whole pictures are left out.', path, num_whole)
  return {'images': images, 'annotations': annotations, 'categories': [
      {'id': i, 'name': category.name} for i, category in enumerate(categories or ())]}


def _segmentation(annotation, line_width):
  """Returns a dict with the segmentation or bbox of an annotation, or with neither."""
  kind = annotation.type.name
  if kind == 'bbox':
    return {'bbox': [float(value) for value in annotation.get_bbox()]}
  if kind == 'mask':
    return {'segmentation': {'counts': areas.mask_runs(annotation.image),
                             'size': list(annotation.image.shape)}}
  if kind in _OUTLINES:
    return {'segmentation': [[float(value) for value in annotation.as_polygon()]]}
  if kind in _LINES:
    values = [float(value) for value in annotation.points]
    points = list(zip(values[::2], values[1::2]))
    pieces = [points] if kind == 'polyline' else [[point] for point in points]
    return {'segmentation': sum(
        (areas.line_segmentation(piece, line_width) for piece in pieces), [])}
  return {}
