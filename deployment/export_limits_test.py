"""Tests of the limits of exported models."""
import pytest

from deeplab.deployment import export_limits, tflite_graph
from deeplab.deployment.export_limits import Comparison


def test_every_kind_of_tflite_file_has_limits():
  assert set(export_limits.TFLITE) == set(tflite_graph.KINDS)


@pytest.mark.parametrize('kind, equal_pixels, miou_drop', [
    ('float32', 0.99, 0.005), ('float16', 0.99, 0.005), ('dynamic', 0.97, 0.02),
    ('int8', 0.97, 0.02), ('qat', 0.98, 0.02)])
def test_limits_are_kept_to(kind, equal_pixels, miou_drop):
  limits = export_limits.TFLITE[kind]
  export_limits.check(kind, Comparison(equal_pixels, 20, 0.7 - 0.999 * miou_drop, 0.7), limits)
  with pytest.raises(ValueError, match='of the pixels of 20 pictures of the dataset have .*; at '
                                       'least %.0f %% should' % (100 * equal_pixels)):
    export_limits.check(kind, Comparison(equal_pixels - 1e-4, 20, 0.7, 0.7), limits)
  with pytest.raises(ValueError, match='mean IoU .*, of the checkpoint 70.00 %%; it may fall by '
                                       '%.1f points. Nothing' % (100 * miou_drop)):
    export_limits.check(kind, Comparison(1.0, 20, 0.7 - 1.001 * miou_drop, 0.7), limits)


def test_mean_iou_of_few_pictures_stops_nothing():
  export_limits.check('frozen', Comparison(1.0, 19, 0.1, 0.7), export_limits.FLOAT)


def test_drawn_pictures_are_enough_for_floats_alone(caplog):
  with pytest.raises(ValueError, match='10.00 % of the pixels of drawn pictures'):
    export_limits.check('frozen', Comparison(0.1, 0), export_limits.FLOAT)
  export_limits.check('tflite', Comparison(0.1, 0), export_limits.TFLITE['int8'])
  assert 'Give --dataset_dir' in caplog.text
