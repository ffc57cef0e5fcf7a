"""What takes the processor as often as pages are asked for and does nothing with it: a yardstick for what serves them.

As a program it is one such process: ``_burning.py MILLISECONDS EVERY``, until it or who began it is ended.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def burning(milliseconds: float, rate: float, processes: int) -> Iterator[None]:
    """Take so many milliseconds of the processor *rate* times a second, by so many processes in turn, while inside."""
    every = processes / rate
    began = []
    try:
        for _ in range(processes):
            began.append(subprocess.Popen([sys.executable, __file__, str(milliseconds), str(every)]))
            time.sleep(every / processes)  # as far as starting them lets it be, one begins where the other has done
        yield
        if any(process.poll() is not None for process in began):
            raise SystemExit("what was to take the processor ended by itself: the yardstick measured nothing")
    finally:
        for process in began:
            process.kill()
            process.wait()


def main() -> None:
    """Burn."""
    seconds, every = float(sys.argv[1]) / 1000, float(sys.argv[2])
    parent, due = os.getppid(), time.monotonic()
    while os.getppid() == parent:
        due += every
        time.sleep(max(0, due - time.monotonic()))
        ends = time.thread_time() + seconds
        while time.thread_time() < ends:
            pass


if __name__ == "__main__":
    main()
