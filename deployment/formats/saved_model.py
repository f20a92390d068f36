"""From a frozen graph to a SavedModel that TensorFlow 2 and TensorFlow Serving load.

    images uint8 [batch, height, width, 3]
      --> labels int32 [batch, height, width],
          probabilities float32 [batch, height, width, classes]
"""
from deeplab.core.tf_compat import tf
from deeplab.deployment.graphs import record

FILE_NAME = 'saved_model.pb'
TAG = 'serve'
SIGNATURE = 'serving_default'
INPUT_KEY = 'images'
LABELS_KEY = 'labels'
PROBABILITIES_KEY = 'probabilities'


def write(graph_def, folder):
  """Writes a frozen graph as SavedModel with tag `serve` and signature `serving_default`.

  Args:
    graph_def: frozen GraphDef with the input and the outputs, probabilities among them, of
      `freezing.build_inference_graph`, for any number of images.
    folder: folder to write; it must not exist.
  """
  with tf.Graph().as_default(), tf.Session() as session:
    images, labels, probabilities = tf.import_graph_def(
        graph_def, name='', return_elements=[name + ':0' for name in (
            record.INPUT_NAME, record.OUTPUT_NAME, record.PROBABILITIES_NAME)])
    signature = tf.saved_model.predict_signature_def(
        inputs={INPUT_KEY: images},
        outputs={LABELS_KEY: labels, PROBABILITIES_KEY: probabilities})
    builder = tf.saved_model.Builder(folder)
    builder.add_meta_graph_and_variables(
        session, [TAG], signature_def_map={SIGNATURE: signature})
    builder.save()
