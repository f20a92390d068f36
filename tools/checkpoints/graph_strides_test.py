"""Output strides are read from graphs, whatever their weights went through."""
import pytest

from deeplab import model
from deeplab.core.options import NetworkOptions
from deeplab.core.tf_compat import tf
from deeplab.deployment.graphs import freezing
from deeplab.testing import tiny_run
from deeplab.tools.checkpoints import graph_strides


@pytest.mark.parametrize('variant, scope', [
    ('resnet_v1_50_beta', 'resnet_v1_50'), ('xception_41', 'xception_41')])
@pytest.mark.parametrize('output_stride', [8, 16])
def test_strides_of_networks(variant, scope, output_stride):
  with tf.Graph().as_default() as graph:
    model.multi_scale_logits(tf.zeros([1, 65, 65, 3]), NetworkOptions(
        {'semantic': 3}, model_variant=variant, output_stride=output_stride,
        decoder_output_stride=[4], crop_size=(65, 65)), [0.5, 1.0])
    variables = {variable.op.name for variable in tf.global_variables()}
  # Freezing makes constants of them; only their names count here.
  graph_def = graph.as_graph_def()
  for node in graph_def.node:
    if node.name in variables:
      node.op = 'Const'
  assert graph_strides.output_stride(graph_def, scope) == output_stride
  assert graph_strides.output_stride(graph_def, 'MobilenetV2') is None


@pytest.mark.usefixtures('shallow_network')
@pytest.mark.parametrize('output_stride', [8, 16])
def test_strides_of_an_export_with_fake_quantisation(tmp_path, output_stride):
  options = tiny_run.MODEL_OPTIONS._replace(quantize_delay_step=0, output_stride=output_stride)
  image = tiny_run.make_samples([(33, 33)])[0].image
  frozen, _ = freezing.freeze(tiny_run.write_checkpoint(tmp_path, image, options), options,
                              model.predict_labels)
  assert graph_strides.output_stride(frozen, 'MobilenetV2') == output_stride
