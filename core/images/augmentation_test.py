"""Tests of the presets of augmentation."""
import pytest

from deeplab.core.images.augmentation import AUGMENTATIONS, Augmentation


def test_default_is_forma_with_the_strengths_of_its_models():
  assert AUGMENTATIONS['forma'] == Augmentation() == Augmentation(
      leg_cut_probability=0.2, affine_stddev=0.05, affine_clip=3.0, flip_probability=0.5,
      hue=0.08, saturation=(0.5, 1.5), brightness=0.2, contrast=(0.7, 1.3),
      blur_probability=0.1, blur_stddev=1.0, noise_stddev=0.01)


@pytest.mark.parametrize('name, flip', [('none', 0.0), ('deeplab', 0.5)])
def test_other_presets_leave_pixels_alone(name, flip):
  preset = AUGMENTATIONS[name]
  assert preset.flip_probability == flip
  assert preset.saturation == preset.contrast == (1.0, 1.0)
  assert not any([preset.leg_cut_probability, preset.affine_stddev, preset.hue,
                  preset.brightness, preset.blur_probability, preset.noise_stddev])


def test_a_warp_has_one_deviation_for_all_entries_or_one_for_each():
  assert Augmentation(affine_stddev=0.05).affine_stddevs == (0.05,) * 6
  assert Augmentation(affine_stddev=[1, 2, 3, 4, 5, 6]).affine_stddevs == (1, 2, 3, 4, 5, 6)
