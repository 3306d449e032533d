"""A pool of processes, which end with the process that started them, even if it is killed."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import connection as channels
from typing import Any, TypeVar

import django
from django.db import connection

T = TypeVar("T")
Work = Callable[..., T]


@contextmanager
def started(count: int) -> Iterator[Executor | None]:
    """Start processes for `each`. Yields None for one worker, which is this process."""
    if count == 1:
        yield None
        return
    with ProcessPoolExecutor(
        count,
        # A fork would share this process's connection to the database.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(connection.settings_dict,),
    ) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def each(executor: Executor | None, work: Work[T], tasks: list[tuple[Any, ...]]) -> Iterator[T]:
    """Call `work` with each task, and yield the results in the order of completion.

    Raises what a call raises.
    """
    if executor is None:
        yield from (work(*task) for task in tasks)
        return
    for future in as_completed([executor.submit(work, *task) for task in tasks]):
        yield future.result()


# This module must not import models: the processes import it before `django.setup`.
def _begin(database: dict[str, Any]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    django.setup()
    # Use the parent's settings, which tests change.
    connection.settings_dict.update(database)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "started by multiprocessing"  # noqa: S101
    channels.wait([parent.sentinel])
    os._exit(1)
