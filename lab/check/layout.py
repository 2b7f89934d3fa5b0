# SPDX-License-Identifier: GPL-2.0-only
"""What lies where, and what may use what."""
import re

from check import tree
from check.reporter import Failed

# All that is tracked at the top
PROGRAMS = ("gup_devdax.c", "dax_teardown.c", "pmem_io.c")
WINGS = ("gup", "teardown", "io", "bench")
TOP_LEVEL = ("Makefile", "README", "config", "settings", *PROGRAMS, *WINGS, "suite", "lib",
             "lab", ".gitignore", ".ci")

# A folder, and the others whose headers its files include
USES = {"lib": (), "suite": ("lib",), **{wing: ("lib", "suite") for wing in WINGS},
        "bench": ("lib",)}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)


def strays_of(tracked):
    """Names at the top that are not in the list, and those of the list that are not there."""
    there = {name.split("/")[0] for name in tracked}
    return sorted(there - set(TOP_LEVEL)), sorted(set(TOP_LEVEL) - there)


def strays(reporter):
    with reporter.check("top level: what git tracks is what belongs there"):
        tracked = tree.git_files()
        if tracked is None:
            raise Failed("not a git checkout")
        extra, missing = strays_of(tracked)
        if extra:
            raise Failed(f"{extra[0]} is tracked at the top, but not in the list of layout.py")
        if missing:
            raise Failed(f"{missing[0]} is in the list of layout.py, but not tracked")


def trespass(name, included):
    """Why this file may not include that one; None if it may."""
    folder = name.split("/")[0] if "/" in name else None
    other = included.split("/")[0] if "/" in included else None
    if ".." in included.split("/"):
        return "by a relative path"
    if other == "lab" and folder != "lab":
        return "lab/ is not for a kernel tree"
    if folder == "lib" and other != "lib":
        return "lib/ includes nothing outside lib/"
    if folder in USES and other not in (None, folder, *USES[folder]):
        return f"{folder}/ includes only {' and '.join((folder, *USES[folder]))}"
    return None


def layering(reporter):
    with reporter.check("layers: includes only go down") as log:
        wrong = []
        for name in tree.c_files():
            for included in INCLUDE.findall(tree.read(name)):
                why = trespass(name, included)
                if why and not name.startswith("lab/"):
                    wrong.append(f'{name} includes "{included}": {why}')
        if wrong:
            log.say("\n".join(wrong))
            raise Failed(f"{len(wrong)} includes; first: {wrong[0]}")


# -- kernel-doc ----------------------------------------------------------------

# Headers still to be converted: each leaves this list when it is, none comes in
TO_CONVERT = ()

SEEN = re.compile(r"^\.\. c:function:: .*?(\w+) \(", re.M)


def public_headers():
    return [name for name in tree.matching("lib/*.h") if not name.endswith("internal.h")]


def prototypes(text):
    """Names of the functions that a header declares, without those it defines."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.M)
    text = re.sub(r'extern\s+"C"\s*{', "", text)
    before = None
    while before != text:
        before, text = text, re.sub(r"{[^{}]*}", ";", text)
    found = []
    for statement in text.split(";"):
        match = re.match(r"\s*((?:\w+[\s*]+)+)(\w+)\s*\(", statement)
        if match and match[2] != "__attribute__" and \
                not re.match(r"(static|typedef)\b", match[1]):
            found.append(match[2])
    return found


def kernel_doc(reporter, script):
    """Each public function of lib/ has a comment that kernel-doc finds complete."""
    with reporter.check("kernel-doc of lib's public headers") as log:
        wrong, open_headers, functions = [], {}, 0
        for name in public_headers():
            declared = prototypes(tree.read(name))
            functions += len(declared)
            text = log.run(["perl", script, "-Wall", "-rst", tree.path(name)], expect=None)
            seen = set(SEEN.findall(text))
            lacking = [f"{name}: {each}() has no block that kernel-doc sees"
                       for each in declared if each not in seen]
            lacking += [f"{name}:{line}: {what}" for line, what in
                        re.findall(r":(\d+): (?:warning|error): (?!no structured)(.*)", text)]
            if name not in TO_CONVERT:
                wrong += lacking
            else:
                open_headers[name] = len(lacking)
        stale = [name for name in TO_CONVERT if name not in public_headers()]
        wrong += [f"{name} is to be converted, and not there" for name in stale]
        clean = [name for name, count in open_headers.items() if not count]
        log.remark = (f"{functions} functions, {sum(open_headers.values())} complaints about "
                      f"{len(open_headers) - len(clean)} headers still to be converted"
                      + (f"; clean by now: {', '.join(clean)}" if clean else ""))
        if wrong:
            log.say("\n".join(wrong))
            raise Failed(f"{len(wrong)} complaints; first: {wrong[0]}")


def run(reporter):
    strays(reporter)
    layering(reporter)
