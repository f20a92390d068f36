"""The same MobileNetV2 network in PyTorch, to measure beside; runs in an interpreter of its own.

`child.measure` loads this file by its path: it needs `torch` and `transformers`, and
nothing of this project.
"""
import statistics
import time

import torch
import transformers

_WARM_UP_STEPS = 2
_IGNORE_LABEL = 255


def train(batch_size, crop, num_classes, least_steps, least_secs):
  """Returns {'step_secs': ..., 'images_per_sec': ...} of training steps.

  A step is that of the benchmark's own network: upsampled logits, cross entropy, SGD with
  momentum and weight decay; batch norm learns.

  Args:
    batch_size: number of images of a batch, which is the same in every step.
    crop: side of the square images in pixels.
    least_steps, least_secs: least number of steps, and of seconds, to measure.
  """
  torch.manual_seed(0)
  network = _make_network(crop, num_classes).train()
  images = _make_images(batch_size, crop)
  labels = torch.randint(0, num_classes, (batch_size, crop, crop))
  optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=4e-5)

  def step():
    optimizer.zero_grad(set_to_none=True)
    loss = network(pixel_values=images, labels=labels).loss
    loss.backward()
    optimizer.step()
    return loss.item()

  secs = statistics.median(_all_secs(step, least_steps, least_secs))
  return {'step_secs': secs, 'images_per_sec': batch_size / secs}


def infer(crop, num_classes, least_steps, least_secs):
  """Returns {'secs': [...], ...}: the seconds of each run of one image; arguments as of `train`.

  A run ends with the labels at the size of the image, as those of exported graphs do.
  """
  torch.manual_seed(0)
  network = _make_network(crop, num_classes).eval()
  images = _make_images(1, crop)

  def run():
    with torch.inference_mode():
      logits = network(pixel_values=images).logits
      logits = torch.nn.functional.interpolate(
          logits, size=(crop, crop), mode='bilinear', align_corners=False)
      return logits.argmax(1).numpy()

  return {'secs': _all_secs(run, least_steps, least_secs)}


def _make_network(crop, num_classes):
  config = transformers.MobileNetV2Config(
      num_labels=num_classes, image_size=crop, output_stride=16,
      semantic_loss_ignore_index=_IGNORE_LABEL)
  network = transformers.MobileNetV2ForSemanticSegmentation(config)
  return network.to(memory_format=torch.channels_last)


def _make_images(batch_size, crop):
  images = torch.rand(batch_size, 3, crop, crop) * 2 - 1
  return images.contiguous(memory_format=torch.channels_last)


def _all_secs(step, least_steps, least_secs):
  for _ in range(_WARM_UP_STEPS):
    step()
  secs = []
  while len(secs) < least_steps or sum(secs) < least_secs:
    begin = time.perf_counter()
    step()
    secs.append(time.perf_counter() - begin)
  return secs
