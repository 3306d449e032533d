"""Run a backtest in processes of its own, for the command line."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, wait
from uuid import UUID

from readmodels.backtests import leases, requests, working
from readmodels.backtests.models import Backtest
from readmodels.rebuild import pool


def run(
    backtest_id: UUID, *, workers: int, progress: Callable[[int], None] = lambda _: None
) -> Backtest:
    """Run the backtest until it has ended, and return it. `progress` gets the number of parts done.

    If this is interrupted, the parts that are done stay done. Raises errors of the database, and
    BrokenExecutor if a process was killed.
    """
    try:
        with pool.started(workers) as executor:
            if executor is None:
                while working.take_turn(backtest_id):
                    _show(backtest_id, progress)
            else:
                # Turns are short. After an interrupt, each process only finishes its current turn.
                turns = {executor.submit(working.take_turn, backtest_id) for _ in range(workers)}
                while turns:
                    done, turns = wait(turns, return_when=FIRST_COMPLETED)
                    more = sum(each.result() for each in done)
                    turns |= {executor.submit(working.take_turn, backtest_id) for _ in range(more)}
                    _show(backtest_id, progress)
    except BaseException:
        leases.release_all(backtest_id)
        raise
    return Backtest.objects.get(pk=backtest_id)


def _show(backtest_id: UUID, progress: Callable[[int], None]) -> None:
    backtest = Backtest.objects.get(pk=backtest_id)
    if backtest.is_unfinished:
        progress(requests.progress(backtest).done)
