# SPDX-License-Identifier: GPL-2.0-only
"""The project's files, as git knows them."""
import fnmatch
import functools
import glob
import os
import re
import subprocess

from check.artifacts import TOP

# Not ours: what was fetched, built or left by a run
NOT_OURS = re.compile(r"(\.git|\.cache|out|build)/|.*(/|^)__pycache__/")


def git_files(*arguments):
    """Paths below the top that 'git ls-files' prints; None where this is no checkout."""
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", TOP, "ls-files", "-z",
                           *arguments], check=False, capture_output=True, text=True)
    return None if done.returncode else [name for name in done.stdout.split("\0") if name]


@functools.cache
def files():
    """All of them, also those that are not added yet."""
    names = git_files("--cached", "--others", "--exclude-standard")
    if names is None:
        names = [os.path.relpath(path, TOP) for path in
                 glob.glob(os.path.join(TOP, "**"), recursive=True, include_hidden=True)]
    return sorted({name for name in names if not NOT_OURS.match(name)
                   and os.path.isfile(os.path.join(TOP, name))})


def matching(*patterns):
    """Those that one of the patterns matches; their '*' matches '/', too."""
    return [name for name in files()
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def path(name):
    return os.path.join(TOP, name)


def paths(names):
    return [path(name) for name in names]


def read(name):
    with open(path(name), encoding="utf-8", errors="replace") as f:
        return f.read()


def c_files():
    return matching("*.[ch]")


def python_files():
    return matching("*.py")


def shell_files():
    """Those that begin with a shell's name, or are called .sh."""
    return [name for name in files() if name.endswith(".sh") or
            re.match(r"#!\s*\S*(/|\benv )(ba|da)?sh\b", read(name)[:64])]


def make_files():
    return matching("Makefile", "*/Makefile", "*.mk")
