"""Names of tensors, samples and scopes that cross module borders."""

# Output of the model that holds the semantic classes.
OUTPUT_TYPE = 'semantic'

# Keys of a sample on its way through the input pipeline.
IMAGE = 'image'
HEIGHT = 'height'
WIDTH = 'width'
IMAGE_NAME = 'image_name'
LABEL = 'label'
LABELS_CLASS = 'labels_class'
LANDMARKS = 'landmarks'
ORIGINAL_IMAGE = 'original_image'
# Number of a sample in its split, from 0.
INDEX = 'index'

# Value of label pixels that do not count, where a dataset does not say another.
IGNORE_LABEL = 255

# Split whose records may be without labels.
TEST_SET = 'test'
