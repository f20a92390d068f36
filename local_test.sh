#!/bin/sh
# The whole job on one dataset: build, train, evaluate, visualise, export, predict.
#
#   sh local_test.sh                            the embedded sample people
#   DATASET=path/of/records sh local_test.sh    own data, as build_custom_data.py leaves it
#   PYTHON=python3.7 sh local_test.sh           on TensorFlow 1.15
#
# Running it again continues the training and keeps what is there already. Settings, all
# environment variables:
#   DATASET         sample_people, or a folder of TFRecords with a dataset_info.json
#   WORK_DIR        where everything goes (experiments)
#   MODEL_VARIANT   backbone (mobilenet_v2)
#   NUM_ITERATIONS  training steps
#   BATCH_SIZE      images per step
#   CROP_SIZE       training crop, height,width
#   TRAIN_FLAGS     further flags of train.py: optimizer, learning rate, augmentation
#   MODEL_FLAGS     further flags of train, eval, vis and export alike
#   NUM_TRAIN, NUM_VAL  size of the sample people
set -eu
cd "$(dirname "$0")"
. utils/setup_env.sh

DATASET=${DATASET:-sample_people}
WORK_DIR=${WORK_DIR:-experiments}
MODEL_VARIANT=${MODEL_VARIANT:-mobilenet_v2}
NUM_ITERATIONS=${NUM_ITERATIONS:-3200}
BATCH_SIZE=${BATCH_SIZE:-4}
CROP_SIZE=${CROP_SIZE:-193,193}
# For a short run from scratch: Adam, batch norm averages that follow quickly, and pictures at
# the scale they are evaluated at.
TRAIN_FLAGS=${TRAIN_FLAGS:---optimizer=adam --adam_learning_rate=0.002
  --batch_norm_decay=0.99 --augmentation=deeplab --min_scale_factor=1
  --max_scale_factor=1}
NUM_TRAIN=${NUM_TRAIN:-400}
NUM_VAL=${NUM_VAL:-100}
started=$(date +%s)

step() { echo; echo "== $* ($(($(date +%s) - started)) s)"; }

step "smoke test"
"$PYTHON" -m pytest -q core/mobilenet_v2_test.py -k recorded

step "dataset"
if [ "$DATASET" = sample_people ]; then
  "$PYTHON" datasets/build_sample_data.py --output_dir="$WORK_DIR/sample_people" \
    --num_train="$NUM_TRAIN" --num_val="$NUM_VAL"
  records=$WORK_DIR/sample_people/tfrecord
else
  records=$DATASET
fi
[ -f "$records/dataset_info.json" ] || {
  echo "error: $records has no dataset_info.json; make the records with" \
    "datasets/build_custom_data.py (see g3doc/own_data.md)" >&2
  exit 1
}
run=$WORK_DIR/$(basename "$DATASET")-$MODEL_VARIANT-$LANE
# Whole pictures are larger than the training crop: pooling over windows of its size shows the
# image-level branch what it was trained on. They are evaluated, drawn and exported at their own
# sizes: the network has seen no padding.
model_flags="--model_variant=$MODEL_VARIANT --output_stride=16 --decoder_output_stride=4
  --image_pooling_crop_size=$CROP_SIZE ${MODEL_FLAGS:-}"

# Flags are lists of words on purpose.
# shellcheck disable=SC2086
{
  step "train: $NUM_ITERATIONS steps"
  "$PYTHON" train.py --dataset_dir="$records" --train_logdir="$run/train" \
    --train_split=train --training_number_of_steps="$NUM_ITERATIONS" \
    --train_batch_size="$BATCH_SIZE" --train_crop_size="$CROP_SIZE" \
    --save_summaries_secs=60 \
    --save_summaries_images --save_interval_secs=300 $model_flags $TRAIN_FLAGS

  step "evaluate"
  "$PYTHON" eval.py --dataset_dir="$records" --checkpoint_dir="$run/train" \
    --eval_logdir="$run/eval" --eval_split=val --eval_crop_size= \
    --max_number_of_evaluations=1 $model_flags

  step "visualise"
  "$PYTHON" vis.py --dataset_dir="$records" --checkpoint_dir="$run/train" \
    --vis_logdir="$run/vis" --vis_split=val --vis_crop_size= \
    --max_number_of_iterations=1 --also_save_raw_predictions $model_flags

  step "export"
  "$PYTHON" export_model.py --checkpoint_path="$run/train" \
    --export_path="$run/export/frozen_inference_graph.pb" --dataset_dir="$records" \
    --crop_size=0 $model_flags
}

step "predict a held-out picture with the exported graph"
held_out=$(ls "$run"/vis/segmentation_results/*_image.png | head -n 1)
"$PYTHON" predict.py --model="$run/export/frozen_inference_graph.pb" --input="$held_out" \
  --output_dir="$run/predict"

step "done"
echo "Pictures:       $run/vis/segmentation_results"
echo "Prediction:     $run/predict"
echo "Frozen graph:   $run/export/frozen_inference_graph.pb"
echo "Curves:         ${PYTHON%python}tensorboard --logdir=$run"
echo
"$PYTHON" -m deeplab.evaluation.segmentation_metrics "$run/eval/metrics.json"
