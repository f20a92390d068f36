"""DeepLab: semantic image segmentation with atrous convolutions."""
import sys

# While `python -m deeplab.x` looks for x.
if sys.argv[:1] == ['-m']:
  from deeplab import packages_needed  # noqa: F401
