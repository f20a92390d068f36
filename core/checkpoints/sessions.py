"""Sessions of the process that saves, from the newest whole checkpoint of a folder."""
from deeplab.core.checkpoints import folder as checkpoint_folder
from deeplab.core.checkpoints import restoring
from deeplab.core.tf_compat import tf


class ChiefSessionCreator(object):
  """Creates sessions, and again after a failure, that continue at the newest checkpoint.

  TensorFlow's own goes by the paths in the file `checkpoint`: in a copy of a folder it would load
  the weights of the original, and the saver would delete the original's checkpoints in time;
  where that file is damaged it would begin anew.
  """

  def __init__(self, scaffold, master, config, folder):
    """Prepares the creator.

    Args:
      scaffold: tf.train.Scaffold with a saver.
      master: TensorFlow server; '': in this process.
      config: ConfigProto.
      folder: folder of checkpoints.
    """
    self._scaffold = scaffold
    self._master = master
    self._config = config
    self._folder = folder

  def create_session(self):
    newest = checkpoint_folder.newest_to_continue(self._folder)
    creator = tf.train.ChiefSessionCreator(self._scaffold, self._master, self._config,
                                           checkpoint_filename_with_path=newest)
    if not newest:
      return creator.create_session()
    with restoring.readable_damage(newest):
      session = creator.create_session()
    kept = [prefix for prefix in checkpoint_folder.recorded(self._folder) if prefix != newest]
    self._scaffold.saver.recover_last_checkpoints(kept + [newest])
    return session
