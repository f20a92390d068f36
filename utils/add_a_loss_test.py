"""Follows g3doc/add_a_loss.md to the letter: what it says is all a loss needs."""
import os
import re
import types

import numpy as np
import pytest

from deeplab import model
from deeplab.core.tf_compat import tf
from deeplab.utils.training import graph as train_graph
from deeplab.utils.training import loop_test, losses

pytestmark = pytest.mark.usefixtures('shallow_network')

_PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'g3doc',
                     'add_a_loss.md')
_NUM_CLASSES, _IGNORE_LABEL = 3, 255


@pytest.fixture(scope='module', name='page')
def read_page():
  """Returns (module of the loss, code of the call, function that checks a loss)."""
  with open(_PAGE) as stream:
    module_code, call, check_code = re.findall(r'```python\n(.*?)```', stream.read(), re.DOTALL)
  module = types.ModuleType('deeplab.utils.soft_dice')
  exec(compile(module_code, 'soft_dice.py', 'exec'), module.__dict__)
  names = {'np': np}
  exec(check_code, names)
  return module, call, names['check']


def test_the_loss_holds_what_the_page_says(page):
  soft_dice, _, check = page

  def run_loss(logits, labels):
    with tf.Graph().as_default(), tf.Session() as session:
      soft_dice.add_loss(tf.constant(logits), tf.constant(labels), _NUM_CLASSES, _IGNORE_LABEL,
                         weight=1.0)
      return session.run(tf.losses.get_losses())[0]

  check(run_loss)


def test_a_check_of_a_loss_that_counts_ignored_pixels_fails(page):
  soft_dice, _, check = page

  def run_loss(logits, labels):
    with tf.Graph().as_default(), tf.Session() as session:
      soft_dice.add_loss(tf.constant(logits), tf.constant(labels), _NUM_CLASSES, -1, weight=1.0)
      return session.run(tf.losses.get_losses())[0]

  with pytest.raises(AssertionError):
    check(run_loss)


def test_training_takes_it_from_the_collection(page, monkeypatch):
  soft_dice, call, _ = page
  cross_entropy = losses.add_softmax_cross_entropy_loss_for_each_scale

  def with_the_call_behind(scales_to_logits, labels, num_classes, ignore_label, **kwargs):
    cross_entropy(scales_to_logits, labels, num_classes, ignore_label, **kwargs)
    exec(call, {'soft_dice': soft_dice, 'logits': scales_to_logits[model.MERGED_LOGITS_SCOPE],
                'labels': labels, 'num_classes': num_classes,
                'dataset': types.SimpleNamespace(ignore_label=ignore_label),
                'options': types.SimpleNamespace(dice_weight=0.5)})

  monkeypatch.setattr(losses, 'add_softmax_cross_entropy_loss_for_each_scale',
                      with_the_call_behind)
  with tf.Graph().as_default(), tf.Session() as session:
    graph = train_graph.build_train_graph(
        loop_test.make_samples(), loop_test.DATASET, loop_test.MODEL_OPTIONS,
        loop_test.make_options())
    assert list(graph.parts) == ['semantic_merged_logits', 'soft_dice', 'regularization']
    session.run(tf.global_variables_initializer())
    total, parts = session.run([graph.train_op, graph.parts])
  assert 0.1 < parts['soft_dice'] <= 0.5
  assert total == pytest.approx(sum(parts.values()), rel=1e-5)
