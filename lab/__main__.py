# SPDX-License-Identifier: GPL-2.0-only
"""python3 lab COMMAND [ARGUMENT...]

Each command says more with --help.
"""
import importlib
import sys

COMMANDS = {
    "vm": "boot.vm",
    "finding": "boot.finding",
    "kernels": "boot.kernels",
    "source": "boot.source",
    "library": "boot.library",
    "check": "check.stages",
    "bench": "measure.bench",
    "iobench": "measure.iobench",
    "repeat": "measure.repeat",
    "soak": "measure.soak",
    "powercut": "measure.powercut",
    "killed": "measure.killed",
    "report": "report.tables",
}


def usage():
    lines = [__doc__]
    for name, module in COMMANDS.items():
        first = importlib.import_module(module).__doc__.splitlines()[0]
        lines.append(f"  {name:<9} {first}")
    return "\n".join(lines)


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        asked = name in ("-h", "--help")
        print(usage(), file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    del sys.argv[1]
    sys.argv[0] = f"lab {name}"
    return importlib.import_module(COMMANDS[name]).main()


if __name__ == "__main__":
    sys.exit(main())
