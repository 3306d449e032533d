"""Processes that share the work of a rebuild, and that end when it does, even if it is killed."""

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
    """Processes for `each`; None for one worker, which is this process."""
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
    """Call `work` with each task, and yield what it returns, in the order of completion.

    Raises what a call raises.
    """
    if executor is None:
        yield from (work(*task) for task in tasks)
        return
    for future in as_completed([executor.submit(work, *task) for task in tasks]):
        yield future.result()


# This module imports nothing of Django's models: the processes find this function before `django.setup`.
def _begin(database: dict[str, Any]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    django.setup()
    # Those of the parent, which may have been given others than the settings say.
    connection.settings_dict.update(database)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "started by multiprocessing"  # noqa: S101
    channels.wait([parent.sentinel])
    os._exit(1)
