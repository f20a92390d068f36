"""Augmentation for pictures of people: cuts the legs off below a line through the thighs."""
from deeplab.core.images import input_errors
from deeplab.core.images.augmentation import RandomSource
from deeplab.core.tf_compat import tf

# Rows of the body landmarks.
_RIGHT_HIP, _RIGHT_KNEE = 8, 9
_LEFT_HIP, _LEFT_KNEE = 11, 12
# People, points, coordinates.
_LEAST_SHAPE = (1, _LEFT_KNEE + 1, 2)
# Share of the hip in the cutting point between hip and knee.
_MIN_HIP_SHARE, _MAX_HIP_SHARE = 0.4, 0.6
# Keeps the slope of a line through one point above the other finite.
_MIN_RUN_PX = 1e-3


def random_crop_legs(image, label, landmarks, mean_pixel, ignore_label, random_source=None,
                     name=None):
  """Replaces what is below a line through both thighs by padding.

  Args:
    image: [height, width, 3] float32 tensor.
    label: [height, width, 1] integer tensor.
    landmarks: string scalar, a serialised float32 tensor [people, 13 points or more, 2 or
      more] of (x, y, ...) in pixels; the first person counts.
    mean_pixel, ignore_label: colour, three numbers, and label of the padding.
    name: string scalar, the record's name for messages, or None.

  Returns (image, label), shapes and dtypes unchanged. Landmarks of another shape fail when run.
  """
  p1, p2 = cut_points(landmarks, draw_shares(random_source), name)
  mask = half_plane_mask(image, p1, p2)
  mean_pixel = tf.reshape(tf.cast(mean_pixel, tf.float32), [1, 1, -1])
  cut_image = mask * image + (1.0 - mask) * mean_pixel
  cut_label = tf.where(mask > 0.5, label, tf.fill(tf.shape(label),
                                                  tf.cast(ignore_label, label.dtype)))
  cut_image.set_shape(image.shape)
  cut_label.set_shape(label.shape)
  return cut_image, cut_label


def draw_is_cut(landmarks, augmentation, random_source):
  """Returns a random bool scalar, whether the legs of a record are cut off.

  Nothing is cut where the landmarks, a string scalar, are unknown: ''.
  """
  return tf.logical_and(
      tf.not_equal(landmarks, ''),
      random_source.uniform() < augmentation.leg_cut_probability)


def cut_if(is_cut, image, label, cut):
  """Returns (image, label) as `cut`, a function of nothing, makes them if is_cut, else as they are.

  Static shapes stay. is_cut is drawn outside: draws must not depend on what was drawn before.
  """
  cut_image, cut_label = tf.cond(is_cut, cut, lambda: (image, label))
  # A branch forgets shapes.
  cut_image.set_shape(image.shape)
  cut_label.set_shape(label.shape)
  return cut_image, cut_label


def draw_shares(random_source=None):
  """Returns two random shares of the hip in the cutting points, right and left."""
  random_source = random_source or RandomSource()
  return [random_source.uniform(_MIN_HIP_SHARE, _MAX_HIP_SHARE) for _ in range(2)]


def cut_points(landmarks, shares, name=None):
  """Returns the cutting points of the right and the left leg, [2] float32 (x, y) in pixels.

  For landmarks and name see `random_crop_legs`, for shares `draw_shares`.
  """
  points = _parse_landmarks(landmarks, '' if name is None else name)[0, :, :2]
  return [share * points[hip] + (1.0 - share) * points[knee] for share, (hip, knee) in zip(
      shares, ((_RIGHT_HIP, _RIGHT_KNEE), (_LEFT_HIP, _LEFT_KNEE)))]


def cut_below(image, label, points, transform, padding):
  """Replaces what is below a line in a crop by padding.

  Args:
    image: [height, width, 3] float32 tensor, the crop.
    label: [height, width, 1] integer tensor.
    points: two [2] float32 tensors, (x, y) of points of the line in the source of the crop.
    transform: [8] float32 tensor, crop pixel to source pixel; see `crop_geometry`.

  Returns (image, label), shapes and dtypes unchanged.
  """
  height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
  slope = _slope(*points)
  t = tf.unstack(transform, num=8)
  # How far a pixel of the crop is above the line, in pixels of the crop.
  per_x, per_y = slope * t[0] - t[3], slope * t[1] - t[4]
  distance = (per_x * tf.range(width)[tf.newaxis, :] + per_y * tf.range(height)[:, tf.newaxis]
              + slope * (t[2] - points[0][0]) - (t[5] - points[0][1]))
  length = tf.maximum(tf.sqrt(per_x * per_x + per_y * per_y), _MIN_RUN_PX)
  mask = tf.clip_by_value(distance / length + 0.5, 0.0, 1.0)[..., tf.newaxis]
  fill = tf.reshape(tf.cast(padding.mean_pixel, tf.float32), [1, 1, -1])
  is_kept = mask >= 0.5
  return fill + mask * (image - fill), tf.where(
      is_kept, label, tf.fill(tf.shape(label), tf.cast(padding.ignore_label, label.dtype)))


def _slope(p1, p2):
  run = p2[0] - p1[0]
  return (p2[1] - p1[1]) / tf.where(tf.abs(run) < _MIN_RUN_PX, tf.fill([], _MIN_RUN_PX), run)


def half_plane_mask(image, p1, p2):
  """Returns 1 above the line through two points, 0 below, smooth along it.

  The points are [2] float32 tensors, (x, y) in pixels, the mask is [height, width, 1] float32 in
  0..1 of the size of the image.
  """
  height, width = tf.unstack(tf.shape(image)[:2])
  slope = _slope(p1, p2)
  x = tf.cast(tf.range(width), tf.float32)[tf.newaxis, :]
  y = tf.cast(tf.range(height), tf.float32)[:, tf.newaxis]
  mask = tf.cast(y - p1[1] <= slope * (x - p1[0]), tf.float32)[tf.newaxis, :, :, tf.newaxis]
  # Twice the size and back blurs the edge by about a pixel.
  mask = tf.image.resize_bilinear(mask, tf.stack([2 * height, 2 * width]))
  mask = tf.image.resize_area(mask, tf.stack([height, width]), align_corners=True)
  return tf.squeeze(mask, 0)


def _parse_landmarks(landmarks, name):
  points = tf.io.parse_tensor(landmarks, tf.float32)
  shape = tf.shape(points)
  has_shape = tf.logical_and(
      tf.equal(tf.size(shape), len(_LEAST_SHAPE)),
      tf.reduce_all(tf.concat([shape, tf.zeros([3], tf.int32)], 0)[:3] >= _LEAST_SHAPE))
  check = input_errors.check(has_shape, lambda: [
      'Record ', name, ': the landmarks have the shape [',
      tf.strings.reduce_join(tf.as_string(shape), separator=', '),
      '], expected [people, %d or more points, 2 or more coordinates] with at least one '
      'person.' % _LEAST_SHAPE[1]])
  with tf.control_dependencies([check]):
    return tf.identity(points)
