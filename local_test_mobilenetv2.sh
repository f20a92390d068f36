#!/bin/sh
# MobileNetV2 on PASCAL VOC 2012 from the published checkpoint deeplabv3_mnv2_pascal_train_aug:
# download and build the data, fetch the weights, fine-tune, evaluate, visualise, export, predict.
#
#   sh local_test_mobilenetv2.sh                    10 steps of fine-tuning
#   NUM_ITERATIONS=0 sh local_test_mobilenetv2.sh   the published weights as they are
#   DRY_RUN=1 sh local_test_mobilenetv2.sh          prints the commands only
#
# The published weights are known for 75.3 % mIoU on val, pictures at their own scale and output
# stride 16; ten small steps leave that nearly as it is. Data (2 GB) and weights (23 MB) that are
# there are not fetched again, and training continues. Settings, all environment variables:
#   WORK_DIR         where weights and results go (experiments/voc2012_mobilenet_v2)
#   VOC_DIR          where PASCAL VOC 2012 goes (datasets/pascal_voc_seg); WITH_SBD=1 adds train_aug
#   DATASET_DIR      TFRecords that are there already, instead of VOC_DIR/tfrecord
#   NUM_ITERATIONS   training steps; 0: none
#   BATCH_SIZE, CROP_SIZE, LEARNING_RATE     of the training (4; 513,513; 0.0001)
#   TRAIN_SPLIT, EVAL_SPLIT                  (train; val)
#   EVAL_CROP_SIZE   height,width that hold every picture (513,513)
#   INIT_CHECKPOINT  other weights to start from; INIT_CHECKPOINT= starts from random ones
#   ZOO_URL          another place of the archive of the weights
#   ZOO_SHA256       its checksum, if it is to be checked
#   TRAIN_FLAGS      instead of --nofine_tune_batch_norm: further flags of train.py
#   MODEL_FLAGS      further flags of train, eval, vis and export alike
#   DATA_FLAGS       further flags of train.py and eval.py, such as --skip_data_check
#   STAGES           some of: data weights train evaluate visualise export predict
#   PYTHON           interpreter, python3.7 for TensorFlow 1.15
set -eu
caller=$PWD
script=$(basename "$0")
cd "$(dirname "$0")"
. utils/driver.sh
. datasets/download.sh

passed_on=datasets/download_and_convert_voc2012.sh
check_call "$script" 0 "$@"
check_numbers BATCH_SIZE
check_stages data weights train evaluate visualise export predict
choose_lane

rerun="sh $script"
work_dir=$(absolute "${WORK_DIR:-$PWD/experiments/voc2012_mobilenet_v2}")
voc_dir=$(absolute "${VOC_DIR:-$PWD/datasets/pascal_voc_seg}")
records=$(absolute "${DATASET_DIR:-$voc_dir/tfrecord}")
NUM_ITERATIONS=${NUM_ITERATIONS:-10}
case $NUM_ITERATIONS in
  '' | *[!0-9]*) refuse "NUM_ITERATIONS=$NUM_ITERATIONS must be a whole number" ;;
esac
BATCH_SIZE=${BATCH_SIZE:-4}
CROP_SIZE=${CROP_SIZE:-513,513}
EVAL_SPLIT=${EVAL_SPLIT:-val}
EVAL_CROP_SIZE=${EVAL_CROP_SIZE:-513,513}
# Batch norm cannot be trained on batches this small.
TRAIN_FLAGS=${TRAIN_FLAGS---nofine_tune_batch_norm}

zoo_name=deeplabv3_mnv2_pascal_train_aug
zoo_url=${ZOO_URL:-http://download.tensorflow.org/models/${zoo_name}_2018_01_29.tar.gz}
zoo_archive=$work_dir/zoo/${zoo_name}_2018_01_29.tar.gz
zoo_checkpoint=$work_dir/zoo/$zoo_name/model.ckpt-30000
INIT_CHECKPOINT=${INIT_CHECKPOINT-$zoo_checkpoint}

# Fetches the archive $2 of the weights from $1; what is not a whole archive is not kept.
fetch_weights() {
  if [ -n "${ZOO_SHA256:-}" ]; then
    download "$1" "$2" sha256 "$ZOO_SHA256"
    return
  fi
  [ ! -f "$2" ] || return 0
  mkdir -p "$(dirname "$2")" || return 1
  echo "== downloading $1" >&2
  if fetch "$1" "$2.part" && gzip -t "$2.part"; then
    mv "$2.part" "$2"
  else
    rm -f "$2.part"
    echo "error: $1 could not be downloaded: fetch it elsewhere, put it at $2 and run again" >&2
    return 1
  fi
}

# Leaves the files of zoo_checkpoint, from the archive $2 or else from $1.
prepare_weights() {
  is_unpacked "$2" "$zoo_name/model.ckpt-30000.index" "$(dirname "$2")" || {
    fetch_weights "$1" "$2" && unpack "$2" "$(dirname "$2")" || return 1
  }
  for suffix in index data-00000-of-00001; do
    [ -f "$zoo_checkpoint.$suffix" ] || {
      echo "error: $2 does not hold $zoo_name/model.ckpt-30000.$suffix: remove it and run again" >&2
      return 1
    }
  done
}

if [ -z "${DATASET_DIR:-}" ] && [ ! -f "$records/dataset_info.json" ]; then
  export PYTHON
  stage data sh datasets/download_and_convert_voc2012.sh "$voc_dir"
fi
[ "$INIT_CHECKPOINT" != "$zoo_checkpoint" ] ||
  stage weights prepare_weights "$zoo_url" "$zoo_archive"

run=$work_dir/run
checkpoints=$run/train
if [ "$NUM_ITERATIONS" = 0 ]; then
  [ -n "$INIT_CHECKPOINT" ] || refuse "NUM_ITERATIONS=0 needs weights, and INIT_CHECKPOINT is empty"
  checkpoints=$INIT_CHECKPOINT
  run=$work_dir/as_published
fi
model_flags="--model_variant=mobilenet_v2 --output_stride=16 ${MODEL_FLAGS:-}$more_model_flags"

# Flags are lists of words on purpose.
# shellcheck disable=SC2086
{
  [ "$NUM_ITERATIONS" = 0 ] ||
    stage train "$PYTHON" train.py --dataset_dir="$records" --dataset=pascal_voc_seg \
      --train_logdir="$run/train" --train_split="${TRAIN_SPLIT:-train}" \
      ${INIT_CHECKPOINT:+"--tf_initial_checkpoint=$INIT_CHECKPOINT"} \
      --training_number_of_steps="$NUM_ITERATIONS" --train_batch_size="$BATCH_SIZE" \
      --train_crop_size="$CROP_SIZE" --base_learning_rate="${LEARNING_RATE:-0.0001}" \
      --augmentation=deeplab --log_steps=1 $model_flags $TRAIN_FLAGS ${DATA_FLAGS:-} \
      $more_train_flags

  stage evaluate "$PYTHON" eval.py --dataset_dir="$records" --dataset=pascal_voc_seg \
    --checkpoint_dir="$checkpoints" --eval_logdir="$run/eval" --eval_split="$EVAL_SPLIT" \
    --eval_crop_size="$EVAL_CROP_SIZE" --max_number_of_evaluations=1 $model_flags \
    ${DATA_FLAGS:-}

  stage visualise "$PYTHON" vis.py --dataset_dir="$records" --dataset=pascal_voc_seg \
    --checkpoint_dir="$checkpoints" --vis_logdir="$run/vis" --vis_split="$EVAL_SPLIT" \
    --vis_crop_size="$EVAL_CROP_SIZE" --max_number_of_iterations=1 $model_flags

  stage export "$PYTHON" export_model.py --checkpoint_path="$checkpoints" \
    --export_path="$run/export/frozen_inference_graph.pb" --dataset=pascal_voc_seg \
    --crop_size="${EVAL_CROP_SIZE%,*}" --crop_size="${EVAL_CROP_SIZE#*,}" $model_flags
}
stage predict "$PYTHON" predict.py --model="$run/export/frozen_inference_graph.pb" \
  --input="$run/vis/segmentation_results/000000_image.png" --output_dir="$run/predict"

[ "${DRY_RUN:-0}" != 1 ] || exit 0
echo
echo "== done ($(($(date +%s) - started)) s): $run"
if is_wanted evaluate; then
  "$PYTHON" -m deeplab.evaluation.semantic.segmentation_metrics "$run/eval/metrics.json"
fi
