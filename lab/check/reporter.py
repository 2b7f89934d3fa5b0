# SPDX-License-Identifier: GPL-2.0-only
"""What checks report to: one line for each as it falls, a log for each."""
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time

# Of a failed check's log this many lines are printed, the rest is in the file
TAIL = 30
LONGEST_LINE = 240
# Seconds between being told to end and being made to
GRACE = 15


class Failed(Exception):
    """The check failed; one sentence."""


class Skipped(Exception):
    """The check cannot be made here; the reason."""


class Reporter:
    """Counts, prints, and keeps one log for each check in a directory."""

    def __init__(self, directory, stream=sys.stdout):
        self.directory = directory
        self.stream = stream
        self.passed = self.failed = self.skipped = 0
        self.lock = threading.Lock()
        self.children = set()
        self.stopping = False
        os.makedirs(directory, exist_ok=True)

    @contextlib.contextmanager
    def check(self, what):
        """A check: the body raises Failed or Skipped, or it passes."""
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", what).strip("-")
        path = os.path.join(self.directory, slug + ".log")
        start = time.monotonic()
        with open(path, "w", encoding="utf-8", errors="replace") as file:
            log = Log(self, file)
            try:
                yield log
                verdict, reason = "ok", log.remark
            except Skipped as skipped:
                verdict, reason = "skip", str(skipped)
            except Failed as failed:
                verdict, reason = "not ok", str(failed)
                log.say(f"FAILED: {reason}")
            except (OSError, subprocess.SubprocessError) as err:
                verdict, reason = "not ok", f"the check itself broke: {err}"
                log.say(f"FAILED: {reason}")
        if self.stopping:
            return
        self.settle(verdict, what, time.monotonic() - start, reason, path)

    def settle(self, verdict, what, seconds, reason, path):
        line = f"{verdict} {what} ({seconds:.1f})"
        if reason:
            line += f": {reason}"
        with self.lock:
            if verdict == "ok":
                self.passed += 1
            elif verdict == "skip":
                self.skipped += 1
            else:
                self.failed += 1
                line += "".join("\n    " + text for text in tail_of(path))
                line += f"\n    (all of it: {os.path.relpath(path)})"
            print(line, file=self.stream, flush=True)

    def fail(self, what, reason):
        """A failure that no check of its own has found."""
        with self.check(what):
            raise Failed(reason)

    def summary(self):
        return (f"{self.passed} passed, {self.failed} failed, "
                f"{self.skipped} skipped")

    def stop(self):
        """End what the checks have started."""
        self.stopping = True
        for child in list(self.children):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)


class Log:
    """The log of one check, and the commands that write to it."""

    def __init__(self, reporter, file):
        self.reporter = reporter
        self.file = file
        self.remark = ""    # printed when the check passes

    def say(self, text):
        self.file.write(text + "\n")
        self.file.flush()

    def run(self, command, expect=0, cwd=None, environment=None, seconds=600,
            setup=None, quiet=False):
        """Run a command in a process group of its own; returns its output.

        expect is the exit status, or several; None takes any.  quiet keeps the output
        out of the log.
        """
        self.say("$ " + " ".join(map(str, command)))
        if self.reporter.stopping:
            raise Failed("interrupted")
        # pylint: disable=subprocess-popen-preexec-fn
        child = subprocess.Popen(
            command, cwd=cwd, env=clean_environment(environment),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, text=True,
            errors="replace", preexec_fn=setup)
        self.reporter.children.add(child)
        late = threading.Event()
        timer = threading.Timer(seconds, end_group, [child, late])
        timer.start()
        lines = []
        try:
            for line in child.stdout:
                if not quiet:
                    self.file.write(line)
                    self.file.flush()
                lines.append(line)
            status = child.wait()
        finally:
            timer.cancel()
            self.reporter.children.discard(child)
            child.stdout.close()
        output = "".join(lines)
        if late.is_set():
            raise Failed(f"{name_of(command)} did not end within {seconds} s")
        wanted = (expect,) if isinstance(expect, int) else expect
        if wanted is not None and status not in wanted:
            raise Failed(f"{name_of(command)} ended with status {status}")
        self.status = status
        return output


def name_of(command):
    return os.path.basename(str(command[0]))


def end_group(child, late):
    """A chance to put away what it has begun, then the end."""
    late.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(child.pid, signal.SIGKILL)


def clean_environment(changes):
    """Nothing of a make above us, and no memory that was opted in."""
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith(("DAX_", "MAKE", "KSELFTEST_"))
                   and key not in ("MFLAGS", "KSFT", "OUTPUT", "CFLAGS", "CC",
                                   "KERNEL", "MODULES", "TESTS", "MEM", "CPUS",
                                   "OUT", "CACHE", "LLVM", "O",
                                   "KBUILD_OUTPUT", "VM_STARTED")}
    environment["LC_ALL"] = "C"
    environment.update(changes or {})
    return environment


def tail_of(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        lines = f.read().splitlines()
    if len(lines) > TAIL:
        yield f"... {len(lines) - TAIL} lines before"
    for line in lines[-TAIL:]:
        yield line[:LONGEST_LINE]
