"""Run the whole suite again and again beside a load on every core: what depends on speed fails. `make flaky`"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Process

from tests.support.source import ROOT

OUTPUT = ROOT / "build" / "flaky"

# Lines of pytest, and of coverage, that should not be there.
BAD = re.compile(r"^(?:FAILED|ERROR) \S+|^.*\bCoverageWarning\b.*", re.MULTILINE)


def compute(parent: int) -> None:
    """Keep a core busy as long as the parent lives."""
    while os.getppid() == parent:
        sum(range(100_000))


@contextmanager
def load(cores: int) -> Iterator[None]:
    """As many processes as cores, computing."""
    processes = [Process(target=compute, args=(os.getpid(),), daemon=True) for _ in range(cores)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.join()


def bad_lines(output: str) -> list[str]:
    """What a run should not have said: tests that failed, and warnings of coverage."""
    return BAD.findall(output)


def run(number: int, arguments: list[str]) -> list[str]:
    """One run of the suite, as `make test` does it, with its output in a file.

    :return: what went wrong
    """
    begin = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-n", "3", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    (OUTPUT / f"{number}.txt").write_text(done.stdout, encoding="utf-8")
    bad = bad_lines(done.stdout)
    if done.returncode and not bad:
        bad = [f"pytest ended with status {done.returncode}"]
    last = (done.stdout.strip().splitlines() or ["nothing was said"])[-1]
    sys.stdout.write("\n  ".join([f"run {number}, {time.monotonic() - begin:.0f} s: {last}", *bad]) + "\n")
    sys.stdout.flush()
    return bad


def main() -> int:
    """Run it so often and say what failed how often.

    :return: 0 when nothing ever failed, else 1
    """
    parser = argparse.ArgumentParser(prog="python -m tests.house.beside_load", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="how often (10)")
    parser.add_argument("--load", type=int, default=os.cpu_count() or 1, help="processes that compute (one a core)")
    parser.add_argument("arguments", nargs="*", help="of pytest, after --")
    chosen = parser.parse_args()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    failures: Counter[str] = Counter()
    with load(chosen.load):
        for number in range(1, chosen.runs + 1):
            failures.update(set(run(number, chosen.arguments)))
    sys.stdout.write(f"{chosen.runs} runs beside {chosen.load} computing processes: ")
    if not failures:
        sys.stdout.write("no failure\n")
        return 0
    sys.stdout.write(f"their output is in {OUTPUT.relative_to(ROOT)}/\n")
    for line, times in failures.most_common():
        sys.stdout.write(f"  {times} times: {line}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
