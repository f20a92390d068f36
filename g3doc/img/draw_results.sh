#!/bin/sh
# Draws the picture of the README: people that the network has not seen, their labels, and what
# the run of local_test.sh predicts.
#
#   sh g3doc/img/draw_results.sh [SAMPLE_PEOPLE] [CHECKPOINT_DIR] [PYTHON]
#
# The folders are those that local_test.sh leaves.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
people=${1:-$root/experiments/sample_people}
checkpoints=${2:-$root/experiments/sample_people-mobilenet_v2-tf2/train}
python=${3:-$root/.venv-tf2/bin/python}
predictions=$(mktemp -d)
trap 'rm -rf "$predictions"' EXIT

for number in 00 01 02 03 04 05 06 07 08 09; do
  echo "$people/raw/images/val_000$number.jpg"
done > "$predictions/pictures.txt"
"$python" "$root/predict.py" --checkpoint_dir="$checkpoints" --outputs=prediction \
  --input="$predictions/pictures.txt" --output_dir="$predictions"
"$python" - "$people/raw" "$predictions" "$root/g3doc/img/results.png" <<'END'
import os
import sys

from deeplab.datasets.building import builder
from deeplab.datasets.sample_people import contact_sheet

raw, predictions, path = sys.argv[1:]
with open(os.path.join(predictions, 'pictures.txt')) as stream:
  pictures = stream.read().split('\n')[:-1]
names = [os.path.splitext(os.path.basename(picture))[0] for picture in pictures]
contact_sheet.write(
    path,
    [builder.Example(name, picture, os.path.join(raw, 'labels', name + '.png'))
     for name, picture in zip(names, pictures)],
    num_rows=1,
    predictions={picture: os.path.join(predictions, name + '_prediction.png')
                 for name, picture in zip(names, pictures)})
END
