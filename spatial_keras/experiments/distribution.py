"""One run on several devices and machines: the strategy, the training loop, what workers share.

With Keras 3, `fit` does not run on several workers: it builds the model, and averages its logs, by
reductions that TensorFlow's collective operations do not have. TensorFlow's own pattern, a loop
around `strategy.run(model.train_step)`, runs on both stacks, on one machine and on several; so
there is one loop for all strategies, and `fit` where there is none.

All workers do the same in the same order, as reading a variable may take all of them; only the
chief writes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spatial_keras.experiments import cluster, interruption
from spatial_keras.support import files, locks

# What TensorFlow raises where another worker has ended.
_LOST = (
    tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
    tf.errors.DeadlineExceededError, tf.errors.FailedPreconditionError, tf.errors.InternalError,
)  # fmt: skip
_OF_WORKERS = re.compile("collective|coordination|grpc", re.IGNORECASE)
_ERRORS = {kind.__name__: kind for kind in (locks.BusyError, files.WriteError, ValueError)}


@dataclasses.dataclass(frozen=True, eq=False)
class Distribution:
    """How a run is spread over replicas: devices of this machine, and of others.

    Attributes:
      strategy: TensorFlow's; None for one device.
      workers: the processes that take part; None for this one alone.
    """

    strategy: tf.distribute.Strategy | None = None
    workers: cluster.Cluster | None = None

    @property
    def replicas(self) -> int:
        """How many replicas take a step together."""
        return 1 if self.strategy is None else self.strategy.num_replicas_in_sync

    @property
    def is_chief(self) -> bool:
        """Whether this process writes, and shows how far the run has come."""
        return self.workers is None or self.workers.is_chief

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns the scope in which models, optimizers and metrics are made."""
        return contextlib.nullcontext() if self.strategy is None else self.strategy.scope()

    def check_batch(self, batch_size: int) -> None:
        """Raises ValueError if a batch cannot be shared out equally."""
        if batch_size % self.replicas:
            raise ValueError(
                f"--batch_size must be a multiple of the {self.replicas} replicas, got "
                f"{batch_size}."
            )

    def fit(
        self,
        model: tf.keras.Model,
        batches: Callable[[tuple[int, int]], tf.data.Dataset],
        steps: int,
        callbacks: Sequence[tf.keras.callbacks.Callback],
    ) -> None:
        """Trains as `fit` does, for one epoch of so many steps.

        Args:
          model: compiled within the strategy's scope.
          batches: returns the i-th of n parts of all batches, for (i, n).
          steps: how many to take.
          callbacks: as of `fit`; all workers have those that read variables.
        """
        if self.strategy is None:
            # The data set is in its order already; Keras 3 would warn.
            options = {"callbacks": list(callbacks), "shuffle": False, "verbose": 0}
            model.fit(batches((0, 1)), steps_per_epoch=steps, **options)
            return
        stream = iter(_distributed(self.strategy, batches))
        watching = tf.keras.callbacks.CallbackList(list(callbacks), model=model)
        take = _step(self.strategy, model)
        watching.on_train_begin()
        watching.on_epoch_begin(0)
        for number in range(steps):
            watching.on_train_batch_begin(number)
            logs, due = take(stream, tf.constant(float(interruption.is_asked())))
            if due:
                interruption.go_along()
            watching.on_train_batch_end(number, logs)
        watching.on_epoch_end(0)
        watching.on_train_end()

    def from_chief(self, value: Any) -> Any:
        """Returns the chief's value, of JSON, on all workers."""
        if self.workers is None:
            return value
        total = _total(self.strategy, len(self.workers.names))
        text = json.dumps(value).encode() if self.is_chief else b""
        (length,) = total(np.array([len(text)]))
        return json.loads(bytes(total(np.frombuffer(text.ljust(length, b"\0"), np.uint8))))

    def on_chief(self, function: Callable[[], Any]) -> Any:
        """Returns what the chief's call gives; None on others. What it raises, all workers do.

        Args:
          function: to call on the chief alone.

        Raises:
          ValueError, files.WriteError: as `function` does.
        """
        found = error = None
        if self.is_chief:
            try:
                found = function()
            except (ValueError, files.WriteError) as caught:
                error = caught
        kind = next((name for name, kind in _ERRORS.items() if isinstance(error, kind)), None)
        kind, text = self.from_chief([kind, str(error)])
        if error is not None:
            raise error
        if kind is not None:
            raise _ERRORS[kind](text)
        return found

    def check_seen(self, state: str, folder: pathlib.Path) -> None:
        """Raises ValueError if this worker finds another state in the folder than the chief."""
        chiefs = self.from_chief(state)
        if state != chiefs:
            raise ValueError(
                f"this worker finds {state} in {folder}, the chief {chiefs}: all workers need to "
                "see the chief's folder."
            )

    @contextlib.contextmanager
    def losses_named(self) -> Iterator[None]:
        """Within, that another worker ended ends this one, with one line."""
        try:
            yield
        except _LOST as error:
            if self.workers is None or not _OF_WORKERS.search(error.message):
                raise
            lost = _lost(self.workers, error.message)
            raise interruption.InterruptedRunError(
                f"{lost} is gone, which ends all; start them all again", 1
            ) from error


def _distributed(
    strategy: tf.distribute.Strategy, batches: Callable[[tuple[int, int]], tf.data.Dataset]
) -> Any:
    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        workers = context.num_input_pipelines
        part = (context.input_pipeline_id, workers)
        size = batches(part).element_spec[1].shape[0]
        # One after the other, this worker's replicas take a batch each.
        size = size * workers // context.num_replicas_in_sync
        return batches(part).rebatch(size, drop_remainder=True)

    return strategy.distribute_datasets_from_function(of_worker)


def _step(
    strategy: tf.distribute.Strategy, model: tf.keras.Model
) -> Callable[..., tuple[dict[str, tf.Tensor], tf.Tensor]]:
    """Returns what takes a step, and gives its logs and whether any worker is to end."""

    def of_replica(batch: Any, due: tf.Tensor) -> tf.Tensor:
        model.train_step(batch)
        context = tf.distribute.get_replica_context()
        # What is reduced has to lie on the replica's device.
        return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(due))

    @tf.function
    def take(stream: Any, due: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        due = strategy.run(of_replica, args=(next(stream), due))
        # Of all replicas, where `train_step` returns those of its own.
        return model.get_metrics_result(), strategy.experimental_local_results(due)[0]

    return take


@functools.cache
def _total(strategy: tf.distribute.Strategy, workers: int) -> Callable[[np.ndarray], list[int]]:
    """Returns what gives the sum of the workers' integers, [n]."""
    replicas_here = strategy.num_replicas_in_sync // workers

    def of_replica(numbers: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        is_first = context.replica_id_in_sync_group % replicas_here == 0
        numbers = tf.where(is_first, numbers, tf.zeros_like(numbers))
        return context.all_reduce(tf.distribute.ReduceOp.SUM, numbers)

    @functools.partial(tf.function, input_signature=[tf.TensorSpec([None], tf.float64)])
    def add_up(numbers: tf.Tensor) -> tf.Tensor:
        found = strategy.run(of_replica, args=(numbers,))
        return strategy.experimental_local_results(found)[0]

    return lambda numbers: [int(number) for number in add_up(tf.constant(numbers, tf.float64))]


def _lost(workers: cluster.Cluster, message: str) -> str:
    """Returns the worker that TensorFlow's message names, which may name this one too."""
    tasks = re.findall(r"/job:(\w+)/replica:\d+/task:(\d+)", message)
    this = workers.names[workers.index]
    others = [name for name in map(" ".join, tasks) if name != this]
    return others[0] if others else "a worker"


_made: dict[str, Distribution] = {}


def get(
    choice: str, worker_timeout: float | None = None, task: Mapping[str, str] | None = None
) -> Distribution:
    """Returns the Distribution of this name; of a process all calls return the same.

    With several workers the first call waits for them, and comes before TensorFlow computes
    anything.

    Args:
      choice: "none"; "mirrored", on all GPUs of this machine, or on TensorFlow's logical CPUs;
        "multi_worker", on all machines of TF_CONFIG; or "auto": multi_worker where there is a
        TF_CONFIG, mirrored where there are several GPUs, else none.
      worker_timeout: how long to wait for other workers, in seconds; 600 by default.
      task: what all workers are to do: flag -> text.

    Raises:
      ValueError: TF_CONFIG is not as it must be, the workers do not come together, or there are
        none to wait for.
    """
    choice = resolved(choice)
    if worker_timeout is not None and choice != "multi_worker":
        raise ValueError("--worker_timeout has no effect without the workers of TF_CONFIG.")
    if choice not in _made:
        _made[choice] = BUILDERS[choice](worker_timeout or 600, task or {})
    return _made[choice]


def resolved(choice: str) -> str:
    """Returns what "auto" means here; every other choice as it is."""
    if choice != "auto":
        return choice
    if cluster.is_named():
        return "multi_worker"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "none"


def _none(worker_timeout: float, task: Mapping[str, str]) -> Distribution:
    return Distribution()


def _mirrored(worker_timeout: float, task: Mapping[str, str]) -> Distribution:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return Distribution(tf.distribute.MirroredStrategy([device.name for device in devices]))


def _multi_worker(worker_timeout: float, task: Mapping[str, str]) -> Distribution:
    if not cluster.is_named():
        raise ValueError(f"--distribute=multi_worker needs TF_CONFIG, such as {cluster.EXAMPLE}.")
    workers = cluster.read(os.environ["TF_CONFIG"])
    cluster.meet(workers, task, worker_timeout)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    interruption.take_back()
    return Distribution(strategy, workers)


BUILDERS = {"none": _none, "mirrored": _mirrored, "multi_worker": _multi_worker}
