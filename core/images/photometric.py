"""Augmentation of colours: hue to contrast, blur, noise; images float32 in 0..255."""
from deeplab.core.images.augmentation import RandomSource
from deeplab.core.tf_compat import tf

FULL_RANGE = 255.0


def vary_colors(image, augmentation, random_source):
  """Varies colours and light, blurs, adds noise; the result stays inside of 0..255.

  The image is a [height, width, 3] float32 tensor in 0..255.
  """
  tint = random_tint(augmentation.hue, augmentation.saturation, random_source)
  return vary_light(tint(image), augmentation, random_source)


def vary_light(image, augmentation, random_source):
  """Varies brightness and contrast, blurs, adds noise: `vary_colors` without the tint."""
  varied = image
  for step in LIGHT_STEPS:
    varied = step(varied, augmentation, random_source)
  # The steps before stay inside of the range; only these may leave it.
  return image if varied is image else tf.clip_by_value(varied, 0.0, FULL_RANGE)


def _light(image, augmentation, random_source):
  return random_light(image, augmentation.brightness, augmentation.contrast, random_source)


def _blur(image, augmentation, random_source):
  if not augmentation.blur_probability:
    return image
  return tf.cond(
      random_source.uniform() < augmentation.blur_probability,
      lambda: random_blur(image, stddev=augmentation.blur_stddev, random_source=random_source),
      lambda: image)


def _noise(image, augmentation, random_source):
  if not augmentation.noise_stddev:
    return image
  return random_noise(image, stddev=augmentation.noise_stddev, random_source=random_source)


# In the order they are taken: functions (image, Augmentation, RandomSource) -> image, the same
# tensor where the step is off.
LIGHT_STEPS = (
    _light,
    _blur,
    _noise,
)


def random_tint(hue, saturation, random_source):
  """Returns a function that shifts hue and saturation of every pixel by the same random amounts.

  Args:
    hue: largest shift, in turns of the colour circle, 0..0.5; 0: off.
    saturation: (least, largest) factor; (1, 1): off.

  Returns a function from a [height, width, 3] float32 tensor in 0..255 to one; grey stays as it is.
  """
  shift = random_source.uniform(-hue, hue) if hue else None
  factor = random_source.uniform(*saturation) if tuple(saturation) != (1.0, 1.0) else None

  def tint(image):
    if shift is not None:
      image = tf.image.adjust_hue(image, shift)
    return image if factor is None else tf.image.adjust_saturation(image, factor)

  return tint


def random_light(image, brightness, contrast, random_source):
  """Shifts brightness and contrast, in this order.

  Args:
    image: [height, width, 3] float32 tensor in 0..255.
    brightness: largest shift, as a share of the full range; 0: off.
    contrast: (least, largest) factor about the mean of each channel; (1, 1): off.
  """
  shift = FULL_RANGE * random_source.uniform(-brightness, brightness) if brightness else 0.0
  if tuple(contrast) == (1.0, 1.0):
    return image + shift if brightness else image
  # (x + shift - mean) factor + mean, mean that of x + shift, in one pass. One axis after the other,
  # and a row to add instead of a pixel: both run over memory in order, which three channels do not.
  factor = random_source.uniform(*contrast)
  mean = tf.reduce_mean(tf.reduce_mean(image, axis=0), axis=0)
  row = tf.tile(tf.reshape(mean * (1.0 - factor) + shift, [1, 1, -1]),
                [1, tf.shape(image)[1], 1])
  return image * factor + row


def random_blur(image, mean=0.0, stddev=1.0, random_source=None):
  """Shrinks a [height, width, channels] float32 image by a random factor and enlarges it again.

  Enlarging takes the top left pixels of both sizes as the same point, shrinking does not: the
  picture moves (factor - 1) / 2 pixels up and left against its label. The factor is 1 plus the
  absolute value of a normal draw of this mean and deviation.
  """
  factor = 1.0 + tf.abs((random_source or RandomSource()).normal(mean, stddev))
  size = tf.shape(image)[:2]
  small = tf.maximum(tf.cast(tf.cast(size, tf.float32) / factor, tf.int32), 1)
  blurred = tf.image.resize_bilinear(
      tf.image.resize_area(tf.expand_dims(image, 0), small), size)
  blurred = tf.squeeze(blurred, 0)
  blurred.set_shape(image.shape)
  return blurred


def random_noise(image, mean=0.0, stddev=0.01, random_source=None):
  """Adds normal noise to every value of a [height, width, channels] float32 image in 0..255.

  `mean` and `stddev` are shares of the full range.
  """
  noise = (random_source or RandomSource()).noise(stddev * FULL_RANGE, tf.shape(image))
  return image + noise + mean * FULL_RANGE if mean else image + noise
