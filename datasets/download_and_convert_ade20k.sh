#!/bin/sh
# Downloads ADE20K as of the scene parsing challenge 2016 (1 GB) and builds its records.
#
#   sh datasets/download_and_convert_ade20k.sh [WORK_DIR]
#
# WORK_DIR (datasets/ADE20K) gets ADEChallengeData2016 and tfrecord. Running it again skips what
# is finished. Settings, all environment variables:
#   BUILD_FLAGS          further flags of build_ade20k_data.py
#   ADE_URL, ADE_SHA1    another place of ADEChallengeData2016.zip, and its checksum
#   PYTHON               interpreter
set -eu
caller=$PWD
cd "$(dirname "$0")/.."
. utils/driver.sh
. datasets/download.sh
check_call datasets/download_and_convert_ade20k.sh 1 "$@"
work_dir=$(absolute "${1:-$PWD/datasets/ADE20K}")
rerun="sh datasets/download_and_convert_ade20k.sh '$work_dir'"
url=${ADE_URL:-http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip}
sha1=${ADE_SHA1:-219e1696abb36c8ba3a3afe7fb2f4b4606a897c7}

choose_lane
archive=$work_dir/ADEChallengeData2016.zip
is_unpacked "$archive" ADEChallengeData2016 "$work_dir" || {
  download "$url" "$archive" sha1 "$sha1"
  unpack "$archive" "$work_dir"
}

ade_dir=$work_dir/ADEChallengeData2016
# Flags are a list of words on purpose.
# shellcheck disable=SC2086
"$PYTHON" datasets/build_ade20k_data.py \
  --train_image_folder="$ade_dir/images/training" \
  --train_image_label_folder="$ade_dir/annotations/training" \
  --val_image_folder="$ade_dir/images/validation" \
  --val_image_label_folder="$ade_dir/annotations/validation" \
  --output_dir="$work_dir/tfrecord" ${BUILD_FLAGS:-}
