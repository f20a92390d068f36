"""Runs the commands of README and g3doc on a few tiny pictures, with runs cut to some steps."""
import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from deeplab.command_line import subcommands
from deeplab.core.tf_compat import IS_TF1
from deeplab.testing import documentation, forked_scripts, slow, tiny_run, tiny_trees

pytestmark = pytest.mark.usefixtures('shallow_network')

_PAGES = documentation.PAGES
# Shell script -> why it is not run here.
_SHELL_NOT_RUN = {
    'run_tests.sh': 'these tests',
    'datasets/download_and_convert_voc2012.sh':
        'download_and_convert_test.py runs it without the download',
    'datasets/download_and_convert_ade20k.sh': 'download_and_convert_test.py runs it likewise',
    'datasets/convert_cityscapes.sh': 'download_and_convert_test.py runs it',
    'deployment/launch_local.sh': 'cluster_run_test.py runs it',
}
# Drivers print here what they would run; run_tests.sh and their own tests run them.
_DRY_RUN = ('local_test.sh', 'local_test_forma.sh', 'local_test_mobilenetv2.sh')
# Part of a block -> why it is not run here.
_NOT_RUN = {
    'completion ': 'completion_test.py runs it in each shell',
    'pip install': 'run_tests.sh installs',
    'tensorboard': 'a server',
    'jupyter': 'a server; deeplab_demo_test.py runs the notebook',
    'pytest': 'these tests',
    'gs://': 'a store in the cloud; shared_storage_test.py has another one',
    '/storage/': 'several machines; cluster_run_test.py has several processes',
    '--raw_dir=HumanParsing-Dataset': 'sets of others; their builders have tests of their own',
    'theirs.pb': 'a graph of other people; convert_to_tflite_test.py has such',
    'make_flag_listing': 'would write into the project; script_flags has a test of it',
    './datasets/build_forma54k_data.py\n':
        'needs the sets of others; the last block of the page has it',
}
_NOT_RUN_PAGES = {'model_zoo.md': 'published checkpoints; model_zoo_doc_test.py builds them'}
_SMALL_NETWORK = ['--model_variant=mobilenet_v2', '--depth_multiplier=0.25']
_SCRIPTS_WITH_NETWORK = ('train.py', 'eval.py', 'vis.py', 'export_model.py')
# What makes runs short; the last value of a flag counts.
_SHORT = {
    'train.py': ['--training_number_of_steps=2', '--train_batch_size=2',
                 '--train_crop_size=65,65', '--train_split=train', '--log_steps=1',
                 '--skip_data_check'],
    'eval.py': ['--eval_crop_size=', '--skip_data_check'],
    'vis.py': ['--vis_crop_size='],
    'tools/records/preview.py': ['--train_crop_size=65,65', '--num_images=4'],
}
_HAS_ONNX = importlib.util.find_spec('tf2onnx') is not None
_CLASSES = '--class_names=ground,tree,house'
_CLONES = '--num_clones='


def run(folder, script, *words):
  """Runs a script on little; it must end well."""
  short = list(_SHORT.get(script, []))
  if script == 'eval.py' and '--eval_once' not in words:
    short.append('--max_number_of_evaluations=1')
  if script == 'export_model.py' and any(word.startswith('--dataset_dir=') for word in words):
    short.append('--num_check_pictures=2')
  clones = [word for word in words if word.startswith(_CLONES)]
  if clones:
    # As many images as clones, all on this machine's processors.
    short += ['--clone_on_cpu', '--train_batch_size=' + clones[-1][len(_CLONES):]]
  if script in _SCRIPTS_WITH_NETWORK:
    short += _SMALL_NETWORK
    if any(word.startswith('--image_pooling_crop_size=') for word in words):
      short.append('--image_pooling_crop_size=65,65')
  if not _HAS_ONNX:
    words = [word.replace(',onnx', '') for word in words]
  result = forked_scripts.run(
      script, *(list(words) + short), cwd=folder, PYTHONPATH='',
      XDG_CONFIG_HOME=os.path.join(str(folder), 'config'))
  assert result.code == 0, '%s %s\n%s' % (script, ' '.join(words), result.log)


@pytest.fixture(scope='module', name='prepared')
def prepare_folder(tmp_path_factory):
  """What the pages speak of: photos, masks, records, and a run that has all it can have."""
  folder = tmp_path_factory.mktemp('documented')
  samples = tiny_run.make_samples([(65, 81)] * 10)
  for index, sample in enumerate(samples):
    # Eight of ten for training.
    for part in ('', 'train' if index < 8 else 'val'):
      for name, pixels in (('photos/%s/%d.jpg', sample.image),
                           ('masks/%s/%d.png', sample.label % 3)):
        path = folder / (name % (part, index))
        os.makedirs(str(path.parent), exist_ok=True)
        Image.fromarray(pixels).save(str(path))
  Image.fromarray(samples[0].image).save(str(folder / 'photo.jpg'))
  run(folder, 'datasets/build_custom_data.py', '--image_dir=photos', '--label_dir=masks',
      '--output_dir=RECORDS', _CLASSES, '--split_fractions=train=0.8,val=0.2')
  run(folder, 'train.py', '--dataset_dir=RECORDS', '--train_logdir=RUN/train')
  run(folder, 'eval.py', '--dataset_dir=RECORDS', '--checkpoint_dir=RUN/train',
      '--eval_logdir=RUN/eval')
  for name in ('model', 'frozen_inference_graph'):
    run(folder, 'export_model.py', '--dataset_dir=RECORDS', '--checkpoint_path=RUN/train',
        '--export_path=RUN/export/%s.pb' % name, '--crop_size=81', '--crop_size=81')
  for name in ('run', 'RUN_A', 'RUN_B', 'other'):
    shutil.copytree(str(folder / 'RUN'), str(folder / name))
  os.makedirs(str(folder / 'data'))
  shutil.copytree(str(folder / 'RECORDS'), str(folder / 'data' / 'mine'))
  os.makedirs(str(folder / 'zoo'))
  for path in glob.glob(str(folder / 'RUN' / 'train' / 'model.ckpt-2.*')):
    shutil.copy(path, str(folder / 'zoo' / ('model.ckpt' + path.split('ckpt-2')[1])))
  return folder


def _prepare_voc(folder):
  tiny_trees.make_voc(folder / 'datasets' / 'pascal_voc_seg' / 'VOCdevkit' / 'VOC2012')


def _prepare_cityscapes(folder):
  tiny_trees.make_cityscapes(folder / 'datasets' / 'cityscapes')


def _prepare_ade20k(folder):
  tiny_trees.make_ade20k(folder / 'datasets' / 'ADE20K' / 'ADEChallengeData2016')


def _prepare_sample_people(folder):
  run(folder, 'datasets/build_sample_data.py', '--output_dir=experiments/sample_people',
      '--num_train=4', '--num_val=2')
  run(folder, 'train.py', '--dataset_dir=experiments/sample_people/tfrecord',
      '--train_logdir=experiments/sample_people-mobilenet_v2-tf2/train', '--output_stride=16',
      '--decoder_output_stride=4', '--image_pooling_crop_size=193,193')


def _prepare_own_data(folder):
  shutil.rmtree(str(folder / 'data' / 'mine'))
  for split in ('train', 'val'):
    shutil.copytree(str(folder / 'photos' / split), str(folder / 'camvid' / split))
    shutil.copytree(str(folder / 'masks' / split), str(folder / 'camvid' / (split + 'annot')))


def _prepare_segments(folder):
  """Classes and instances of a picture, as plain folders and as Cityscapes has them."""
  cars = np.zeros((16, 16), np.uint8)
  cars[4:12, 2:6], cars[4:12, 8:14] = 1, 2
  city = np.where(cars, 26000 + cars.astype(np.uint16), 7).astype(np.uint16)
  for path, pixels in (('gt/classes/a.png', np.minimum(cars, 1)), ('gt/instances/a.png', cars),
                       ('gtFine/val/aachen/aachen_000000_000019_gtFine_instanceIds.png', city)):
    for place in (path, path.replace('gtFine/val/', 'predictions/').replace('gt/', 'pred/')):
      os.makedirs(os.path.dirname(str(folder / place)), exist_ok=True)
      Image.fromarray(pixels).save(str(folder / place))
  (folder / 'categories.json').write_text('[{"id": 1, "name": "person", "isthing": 1}]')


def _prepare_pictures_for_serving(folder):
  np.save(str(folder / 'images.npy'), np.zeros((1, 65, 81, 3), np.uint8))


def _register(folder):
  run(folder, 'datasets/build_custom_data.py', '--image_dir=photos', '--label_dir=masks',
      '--output_dir=registered/mine', _CLASSES, '--split_fractions=train=0.8,val=0.2', '--register')


# What only one page speaks of.
_PREPARE = {
    'g3doc/pascal.md': _prepare_voc,
    'g3doc/cityscapes.md': _prepare_cityscapes,
    'g3doc/ade20k.md': _prepare_ade20k,
    'g3doc/training.md': _prepare_sample_people,
    'g3doc/own_data.md': _prepare_own_data,
    'g3doc/add_a_dataset.md': _register,
    'g3doc/export.md': _prepare_pictures_for_serving,
    'evaluation/README.md': _prepare_segments,
}


def _blocks(page):
  with open(page, encoding='utf-8') as stream:
    return documentation.blocks(stream.read())


def blocks_to_run(page):
  return [block for block in _blocks(page) if not any(part in block.text for part in _NOT_RUN)]


PAGES_TO_RUN = [page for page in _PAGES
                if os.path.basename(page) not in _NOT_RUN_PAGES and blocks_to_run(page)]


def _forget(folder, place):
  if place:
    shutil.rmtree(os.path.join(str(folder), place), ignore_errors=True)


def _run_shell(folder, command):
  """Runs a driver dry, with the settings of the page."""
  if command.script in _SHELL_NOT_RUN:
    return
  assert command.script in _DRY_RUN, 'neither run nor excepted: %s' % command.script
  done = subprocess.run(
      ['sh', os.path.join(tiny_run.ROOT, command.script)] + command.words, cwd=str(folder),
      env=dict(os.environ, DEEPLAB_STORAGE_DIR=str(folder / 'storage'), PYTHON=sys.executable,
               DRY_RUN='1', **command.settings),
      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
  assert done.returncode == 0, done.stdout
  assert 'train.py' in done.stdout or 'eval.py' in done.stdout or '--list' in command.words


def _run_saved_model_cli(folder, command):
  done = subprocess.run(
      [sys.executable, '-m', 'tensorflow.python.tools.saved_model_cli'] + command.words,
      cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
  assert done.returncode == 0, done.stdout
  assert np.load(str(folder / 'outdir' / 'labels.npy')).shape == (1, 65, 81)


@pytest.mark.skipif(IS_TF1, reason='the same commands as on the default lane')
@slow.only_if_asked
@pytest.mark.parametrize('page', PAGES_TO_RUN, ids=documentation.name)
def test_commands_of_a_page_run(page, prepared, tmp_path):
  folder = tmp_path / 'work'
  shutil.copytree(str(prepared), str(folder))
  _PREPARE.get(documentation.name(page), lambda folder: None)(folder)
  modules = {name: row.module for name, row in subcommands.SUBCOMMANDS.items()}
  for found in documentation.commands(blocks_to_run(page), folder, modules):
    for command in found:
      if command.script.startswith('datasets/build_'):
        # Of another block; the commands of one may build the splits of one dataset.
        _forget(folder, command.value('output_dir'))
    for command in found:
      if command.script.endswith('.sh'):
        _run_shell(folder, command)
        continue
      if command.script == 'saved_model_cli':
        _run_saved_model_cli(folder, command)
        continue
      _forget(folder, command.value('train_logdir'))
      # "..." stands for the flags of the run that is spoken of.
      words = [word for word in command.words if word != '...']
      if len(words) < len(command.words):
        words.append('--dataset_dir=data/mine')
      run(folder, command.script, *words)


def test_what_is_not_run_stands_on_some_page():
  texts = [block.text for page in _PAGES for block in _blocks(page)]
  assert [part for part in list(_NOT_RUN) + list(_SHELL_NOT_RUN)
          if not any(part in text for text in texts)] == []
  assert len(texts) > 3 * sum(any(part in text for part in _NOT_RUN) for text in texts)


def test_what_is_run_elsewhere_is_in_a_test_that_is_there():
  reasons = list(_NOT_RUN.values()) + list(_SHELL_NOT_RUN.values()) + list(_NOT_RUN_PAGES.values())
  named = {name for reason in reasons for name in re.findall(r'\w+\.(?:py|sh)', reason)}
  assert len(named) > 5
  assert [name for name in sorted(named) if not glob.glob(
      os.path.join(tiny_run.ROOT, '**', name), recursive=True)] == []
  for script in list(_SHELL_NOT_RUN) + list(_DRY_RUN):
    assert os.path.exists(os.path.join(tiny_run.ROOT, script)), script
