"""Tests of the panoptic metrics in a graph against those on arrays."""
import numpy as np
import pytest

from deeplab.core.tf_compat import tf
from deeplab.evaluation import streaming_metrics, test_utils
from deeplab.evaluation.panoptic_quality import PanopticQuality
from deeplab.evaluation.parsing_covering import ParsingCovering

NUM_CLASSES = test_utils.NUM_CATEGORIES
ARGUMENTS = dict(test_utils.METRIC_ARGUMENTS)
ARGUMENTS['num_classes'] = ARGUMENTS.pop('num_categories')
SCENES = [test_utils.random_scene(np.random.RandomState(seed)) for seed in range(6)]


def qualities_of(metric):
  values = metric.per_category()
  return np.array([values[name] for name in ('pq', 'sq', 'rq', 'tp', 'fn', 'fp')])


def coverings_of(metric):
  values = metric.per_category()
  return np.array([values['pc'], metric.weighted_iou_per_class, values['area']])


CASES = pytest.mark.parametrize('streaming, metric, expected, options', [
    (streaming_metrics.streaming_panoptic_quality, PanopticQuality, qualities_of, {}),
    (streaming_metrics.streaming_parsing_covering, ParsingCovering, coverings_of, {}),
    (streaming_metrics.streaming_parsing_covering, ParsingCovering, coverings_of,
     {'normalize_by_image_size': False}),
])


def make_graph(streaming, options, rank=2, dtype=tf.int32):
  inputs = [tf.placeholder(dtype, [None] * rank) for _ in range(4)]
  return inputs, streaming(*inputs, **dict(ARGUMENTS, **options))


@CASES
def test_runs_add_up_to_the_metric_of_all_images(streaming, metric, expected, options):
  metric = metric(**dict(test_utils.METRIC_ARGUMENTS, **options))
  with tf.Graph().as_default(), tf.Session() as session:
    inputs, (result, update_op) = make_graph(streaming, options)
    assert result.shape.as_list() == update_op.shape.as_list() == [
        len(expected(metric)), NUM_CLASSES]
    session.run(tf.local_variables_initializer())
    np.testing.assert_array_equal(session.run(result), 0)
    for scene in SCENES:
      metric.compare_and_accumulate(*scene.arrays)
      updated = session.run(update_op, dict(zip(inputs, scene.arrays)))
      np.testing.assert_allclose(updated, expected(metric), rtol=1e-12)
      # Reading the result adds nothing.
      for _ in range(2):
        np.testing.assert_array_equal(session.run(result), updated)


@CASES
def test_batch_counts_its_images_one_by_one(streaming, metric, expected, options):
  metric = metric(**dict(test_utils.METRIC_ARGUMENTS, **options))
  for scene in SCENES:
    metric.compare_and_accumulate(*scene.arrays)
  with tf.Graph().as_default(), tf.Session() as session:
    inputs, (_, update_op) = make_graph(streaming, options, rank=3, dtype=tf.uint8)
    session.run(tf.local_variables_initializer())
    batch = [np.stack(arrays) for arrays in zip(*[scene.arrays for scene in SCENES])]
    np.testing.assert_allclose(session.run(update_op, dict(zip(inputs, batch))),
                               expected(metric), rtol=1e-12)


def test_totals_are_local_metric_variables_and_start_again():
  with tf.Graph().as_default() as graph, tf.Session() as session:
    inputs, (result, update_op) = make_graph(streaming_metrics.streaming_panoptic_quality,
                                             {'name': 'pq'})
    variables = tf.local_variables()
    assert len(variables) == 4 and not tf.global_variables()
    assert graph.get_collection(tf.GraphKeys.METRIC_VARIABLES) == variables
    assert all(v.op.name.startswith('pq/') for v in variables)
    feed = dict(zip(inputs, SCENES[0].arrays))
    session.run(tf.local_variables_initializer())
    first = session.run(update_op, feed)
    session.run(tf.local_variables_initializer())
    np.testing.assert_array_equal(session.run(result), 0)
    np.testing.assert_array_equal(session.run(update_op, feed), first)


@pytest.mark.parametrize('rank, value, message', [
    (1, np.ones([4]), r'\[height, width\] or \[batch, height, width\], got \(4,\)'),
    (2, np.full([2, 2], 99), r'category id 99 is not in 0..4')])
def test_images_that_do_not_fit_are_told(rank, value, message):
  with tf.Graph().as_default(), tf.Session() as session:
    inputs, (_, update_op) = make_graph(streaming_metrics.streaming_parsing_covering, {}, rank)
    session.run(tf.local_variables_initializer())
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
      session.run(update_op, dict.fromkeys(inputs, value))
