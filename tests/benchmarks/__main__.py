"""`python -m tests.benchmarks [NAME...]`, under `make bench`, which starts the servers with fsync on."""

import sys
from importlib import import_module
from typing import Final

import django

NAMES: Final = ("dispatch", "post", "importing", "rebuild")


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all, and print their figures. Returns 2 for an unknown name."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}. Known: {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    django.setup()
    from tests.benchmarks.harness import report

    figures = []
    for name in names or NAMES:
        figures += import_module(f"tests.benchmarks.{name}").run()
    report(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
