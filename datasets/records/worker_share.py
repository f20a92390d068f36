"""Which part of a split one of several workers reads; together they read all of it."""
import typing

# Shards per worker from which on one more or less makes no difference.
_MANY_SHARDS = 8


class Share(typing.NamedTuple):
  """The part of one worker.

  Attributes:
    index: number of the worker.
    num_workers: number of workers.
  """
  index: int = 0
  num_workers: int = 1

  def of(self, elements):
    """Returns this worker's share of a tf.data.Dataset that is the same for all workers."""
    return elements if self.num_workers == 1 else elements.shard(self.num_workers, self.index)

  def divides_well(self, num_shards):
    """Whether workers that read whole shards all read about as much.

    Else each reads all shards, which is cheap beside decoding, and takes every nth record.
    """
    return num_shards % self.num_workers == 0 or num_shards >= _MANY_SHARDS * self.num_workers
