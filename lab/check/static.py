# SPDX-License-Identifier: GPL-2.0
"""What can be said without running anything: style, headers, scripts."""
import glob
import os
import re

from check.artifacts import LAB, TOP
from check.reporter import Failed, Skipped

# checkpatch speaks of kernel code.  Left out is only what user space cannot
# follow, each as narrow as it can be said.
NOT_FOR_USER_SPACE = (
    # <linux/types.h>, BIT(), __printf() and their like are the kernel's own
    ("PREFER_KERNEL_TYPES", r"Prefer kernel type '[us]\d+'"),
    ("BIT_MACRO", r"Prefer using the BIT(_ULL)? macro"),
    ("PREFER_DEFINED_ATTRIBUTE_MACRO", r"Prefer (__printf|__noreturn|__aligned)"),
    # names that C itself spells so
    ("CAMELCASE", r"<(_Atomic|_Bool|_Generic|PRI[diux]\d+|SCN[diux]\d+)>"),
    # a load or store that must happen, though its value is not used
    ("VOLATILE", r"Use of volatile is usually wrong"),
    # a function is named by the word for what it does, and so are sentences
    ("EMBEDDED_FUNCTION_NAME", r"to using '[a-z]+', this function's"),
    # a message stays in one piece, to be searched for
    ("LONG_LINE_STRING", r"line length of \d+ exceeds"),
    # a test's macro must be one to speak of its caller's line
    ("MACRO_ARG_REUSE", r"possible side-effects"),
)
REPORT = re.compile(r"(\S+):(\d+): (ERROR|WARNING|CHECK):(\w+): (.*)")


def c_files(*patterns):
    return sorted(path for pattern in patterns
                  for path in glob.glob(os.path.join(TOP, pattern)))


def shell_files():
    """Whatever begins with a shell's name, or is called .sh."""
    found = []
    for path, directories, names in os.walk(TOP):
        # Not ours: what was fetched, built or left by a run
        directories[:] = [name for name in directories if name not in
                          (".git", ".cache", "out", "build", "__pycache__")]
        for name in names:
            full = os.path.join(path, name)
            with open(full, "rb") as f:
                head = f.read(64).split(b"\n")[0]
            if re.match(rb"#!\s*\S*(/|\benv )(ba|da)?sh\b", head) or name.endswith(".sh"):
                found.append(full)
    return sorted(found)


def python_files():
    return sorted(glob.glob(os.path.join(LAB, "**/*.py"), recursive=True))


def shellcheck(reporter):
    with reporter.check("shellcheck") as log:
        log.run(["shellcheck", "-x", *shell_files()], cwd=TOP)


def checkpatch(reporter, artifacts):
    with reporter.check("checkpatch --strict") as log:
        script = os.path.join(artifacts.ksft("newest"), "../../..",
                              "scripts/checkpatch.pl")
        files = c_files("*.[ch]", "lib/*.[ch]", "lab/*.[ch]", "lab/unit/*.[ch]",
                        "lab/findings/*.[ch]")
        # It leaves notes behind where it runs
        place = os.path.join(artifacts.scratch, "checkpatch")
        os.makedirs(os.path.join(place, "include"), exist_ok=True)
        output = log.run(["perl", script, f"--root={place}", "--no-tree",
                          "--strict", "--terse", "--show-types",
                          "--no-summary", "-f", *files], cwd=place,
                         expect=(0, 1), seconds=300)
        left = []
        for line in output.splitlines():
            report = REPORT.match(line)
            if not report:
                left.append(line)
            elif not any(report[4] == kind and re.search(text, report[5])
                         for kind, text in NOT_FOR_USER_SPACE):
                left.append(os.path.relpath(line, TOP))
        if left:
            log.say("\nWhat counts of it:\n" + "\n".join(left))
            raise Failed(f"{len(left)} complaints")


def kernel_doc(reporter, artifacts):
    with reporter.check("kernel-doc of the headers") as log:
        # From 6.16 on it is no longer a single file
        script = os.path.join(artifacts.ksft("6.12"), "../../../scripts/kernel-doc")
        if not os.path.exists(script):
            raise Skipped("the source package has no kernel-doc")
        headers = c_files("*.h", "lib/*.h")
        output = "".join(log.run(["perl", script, "-none", header], expect=None,
                                 cwd=TOP) for header in headers)
        complaints = re.findall(r": (?:warning|error): .*", output)
        if complaints:
            raise Failed(f"{len(complaints)} complaints")


def python(reporter):
    with reporter.check("Python compiles") as log:
        for path in python_files():
            with open(path, encoding="utf-8") as f:
                try:
                    compile(f.read(), path, "exec", dont_inherit=True)
                except (SyntaxError, ValueError) as err:
                    log.say(f"{path}: {err}")
                    raise Failed(f"{os.path.relpath(path, TOP)}: {err}") from err


def licences(reporter):
    """Every file that can carry one has an SPDX line."""
    with reporter.check("SPDX lines") as log:
        files = (c_files("*.[ch]", "lib/*.[ch]", "lab/*.[ch]", "lab/unit/*.[ch]", "Makefile",
                         "lab/*.mk", "lab/unit/Makefile", "lab/findings/*.c")
                 + python_files() + shell_files())
        lacking = []
        for path in files:
            with open(path, encoding="utf-8", errors="replace") as f:
                if "SPDX-License-Identifier: GPL-2.0" not in f.read(200):
                    lacking.append(os.path.relpath(path, TOP))
        if lacking:
            log.say("\n".join(lacking))
            raise Failed(f"{lacking[0]} has none")


def strays(reporter):
    """Outside lab/ nothing may know of this machine, or of the network."""
    with reporter.check("nothing of one machine in the files") as log:
        bad = re.compile(r"https?://(?!(\w+\.)?kernel\.org\b|github\.com\b)"
                         r"[\w-]+\.\w|/home/\w|/work/|/root/")
        found = []
        for path in (c_files("*.[ch]", "lib/*.[ch]", "lab/unit/*.c", "Makefile",
                             "lab/*.mk", "README", "lab/findings/*")
                     + python_files() + shell_files()):
            if os.path.abspath(path) == os.path.abspath(__file__):
                continue
            with open(path, encoding="utf-8", errors="replace") as f:
                for number, line in enumerate(f, 1):
                    if bad.search(line):
                        found.append(f"{os.path.relpath(path, TOP)}:{number}: {line.strip()}")
        if found:
            log.say("\n".join(found))
            raise Failed(found[0])


def run(reporter, artifacts):
    python(reporter)
    licences(reporter)
    strays(reporter)
    shellcheck(reporter)
    checkpatch(reporter, artifacts)
    kernel_doc(reporter, artifacts)
