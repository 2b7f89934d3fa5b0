# SPDX-License-Identifier: GPL-2.0-only
"""What can be said without running anything: style, headers, scripts."""
import os
import re

from check import layout, tree
from check.artifacts import TOP
from check.reporter import Failed, Skipped

# checkpatch speaks of kernel code.  Left out is only what user space cannot
# follow, each as narrow as it can be said.
NOT_FOR_USER_SPACE = (
    # <linux/types.h>, BIT(), __printf() and their like are the kernel's own
    ("PREFER_KERNEL_TYPES", r"Prefer kernel type '[us]\d+'"),
    ("BIT_MACRO", r"Prefer using the BIT(_ULL)? macro"),
    ("PREFER_DEFINED_ATTRIBUTE_MACRO", r"Prefer __\w+(\([^)]*\))? over"),
    # names that C itself spells so
    ("CAMELCASE", r"<(_Atomic|_Bool|_Generic|_Static_assert|PRI[diux]\d+|SCN[diux]\d+)>"),
    # a load or store that must happen, though its value is not used
    ("VOLATILE", r"Use of volatile is usually wrong"),
    # a function is named by the word for what it does, and so are sentences
    ("EMBEDDED_FUNCTION_NAME", r"to using '[a-z]+', this function's"),
    # a message stays in one piece, to be searched for
    ("LONG_LINE_STRING", r"line length of \d+ exceeds"),
    # a test's macro must be one to speak of its caller's line
    ("MACRO_ARG_REUSE", r"possible side-effects"),
)
# Macros that declare, which it takes for expressions and statements
DECLARING = ("lib/registry.h", ("COMPLEX_MACRO", "MULTISTATEMENT_MACRO_USE_DO_WHILE", "SPACING"))
REPORT = re.compile(r"(\S+):(\d+): (ERROR|WARNING|CHECK):(\w+): (.*)")


def shellcheck(reporter):
    with reporter.check("shellcheck") as log:
        log.run(["shellcheck", "-x", *tree.shell_files()], cwd=TOP)


def counts(line):
    """Is it a complaint that user space can follow?"""
    report = REPORT.match(line)
    if not report:
        return True
    name, macros = DECLARING
    if report[4] in macros and os.path.relpath(report[1], TOP) == name:
        return False
    return not any(report[4] == kind and re.search(text, report[5])
                   for kind, text in NOT_FOR_USER_SPACE)


def checkpatch(reporter, artifacts):
    with reporter.check("checkpatch --strict") as log:
        script = os.path.join(artifacts.ksft("newest"), "../../..",
                              "scripts/checkpatch.pl")
        # It leaves notes behind where it runs
        place = os.path.join(artifacts.scratch, "checkpatch")
        os.makedirs(os.path.join(place, "include"), exist_ok=True)
        output = log.run(["perl", script, f"--root={place}", "--no-tree",
                          "--strict", "--terse", "--show-types",
                          "--no-summary", "-f", *tree.paths(tree.c_files())], cwd=place,
                         expect=(0, 1), seconds=900)
        left = [os.path.relpath(line, TOP) if REPORT.match(line) else line
                for line in output.splitlines() if counts(line)]
        if left:
            log.say("\nWhat counts of it:\n" + "\n".join(left))
            raise Failed(f"{len(left)} complaints")


def kernel_doc(reporter, artifacts):
    script = ""
    with reporter.check("kernel-doc of the headers") as log:
        # From 6.16 on it is no longer a single file
        script = os.path.join(artifacts.ksft("6.12"), "../../../scripts/kernel-doc")
        if not os.path.exists(script):
            raise Skipped("the source package has no kernel-doc")
        output = "".join(log.run(["perl", script, "-none", header], expect=None,
                                 cwd=TOP) for header in tree.matching("*.h"))
        complaints = re.findall(r": (?:warning|error): .*", output)
        if complaints:
            raise Failed(f"{len(complaints)} complaints")
    if os.path.exists(script):
        layout.kernel_doc(reporter, script)


def python(reporter):
    with reporter.check("Python compiles") as log:
        for name in tree.python_files():
            try:
                compile(tree.read(name), name, "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as err:
                log.say(f"{name}: {err}")
                raise Failed(f"{name}: {err}") from err


def licences(reporter):
    """Every file that can carry one has an SPDX line."""
    with reporter.check("SPDX lines") as log:
        names = {*tree.c_files(), *tree.make_files(), *tree.python_files(),
                 *tree.shell_files(), *tree.matching("lab/boot/guest/*")}
        lacking = [name for name in sorted(names)
                   if "SPDX-License-Identifier: GPL-2.0" not in tree.read(name)[:200]]
        if lacking:
            log.say("\n".join(lacking))
            raise Failed(f"{lacking[0]} has none")


def of_one_machine(reporter):
    """Nothing may know of one machine, or of a network."""
    with reporter.check("nothing of one machine in the files") as log:
        bad = re.compile(r"https?://(?!(\w+\.)?kernel\.org\b|github\.com\b)"
                         r"[\w-]+\.\w|/home/\w|/work/|/root/")
        found = []
        for name in tree.files():
            if tree.path(name) == os.path.abspath(__file__):
                continue
            found += [f"{name}:{number}: {line.strip()}" for number, line
                      in enumerate(tree.read(name).splitlines(), 1) if bad.search(line)]
        if found:
            log.say("\n".join(found))
            raise Failed(found[0])


def run(reporter, artifacts):
    python(reporter)
    licences(reporter)
    of_one_machine(reporter)
    layout.run(reporter)
    shellcheck(reporter)
    checkpatch(reporter, artifacts)
    kernel_doc(reporter, artifacts)
