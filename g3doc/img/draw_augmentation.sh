#!/bin/sh
# Draws the pictures of g3doc/augmentation.md from the sample people:
#
#   sh g3doc/img/draw_augmentation.sh RECORDS [PYTHON]
#
# RECORDS is the tfrecord folder that datasets/build_sample_data.py leaves.
set -eu
records=$1
python=${2:-python3}
out=$(cd "$(dirname "$0")" && pwd)

draw() {  # $1: picture; the rest: flags of augmentation
  name=$1
  shift
  "$python" -m deeplab.tools.records.preview --dataset_dir="$records" --same_record \
    --train_crop_size=129,129 --num_images=6 --data_seed=3 \
    --augmentation=none --min_scale_factor=0.5 --max_scale_factor=0.5 \
    --output="$out/augmentation_$name.jpg" "$@"
}

draw scale --min_scale_factor=0.3 --max_scale_factor=1 --scale_factor_step_size=0
draw affine --affine_stddev=0.05
draw flip --flip_probability=0.5
draw hue --hue=0.08
draw saturation --saturation=0.5,1.5
draw brightness --brightness=0.2
draw contrast --contrast=0.7,1.3
draw blur --blur_probability=1 --blur_stddev=1
draw noise --noise_stddev=0.05
draw leg_cut --leg_cut_probability=1
draw forma --augmentation=forma --min_scale_factor=0.3 --max_scale_factor=1
