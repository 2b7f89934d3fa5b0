# SPDX-License-Identifier: GPL-2.0-only
"""Results: what a guest prints, what a kernel's last words mean, KTAP files."""
import re
from dataclasses import dataclass, field

PASS, FAIL, SKIP = "ok", "not ok", "skip"

# Words that begin the report of a kernel in trouble, with what follows them
TROUBLE = re.compile(
    r"(BUG: .*|Oops: .*|Oops\b.*|kernel BUG at .*|general protection fault.*|"
    r"Kernel panic - not syncing.*|watchdog: BUG: .*|"
    r"unable to handle .*|double fault.*|Out of memory: .*)")
RIP = re.compile(r"RIP: [0-9a-f]{4}:([A-Za-z_][\w.]*)\+0x")
FRAME = re.compile(r" +([A-Za-z_][\w.]*)\+0x")
# The functions that bring the bad news
MESSENGERS = ("dump_stack", "dump_stack_lvl", "panic", "vpanic", "show_stack",
              "check_panic_on_warn")
STAMP = re.compile(r"^\[ *\d+\.\d+\](\[[^]]*\])? ?")


@dataclass
class Result:
    program: str
    name: str
    verdict: str
    kind: str = ""
    sentence: str = ""
    seconds: float = 0.0
    boot: int = 0
    diagnostics: list = field(default_factory=list)

    @property
    def full_name(self):
        return f"{self.program}.{self.name}"


@dataclass
class Verdict:
    """A program's early word on a cell that fails."""
    kind: str
    sentence: str


class Stream:
    """Follows what a guest says; on_result is called with each Result.

    The guest's own lines (begin, end, done ...) are kept for the runner:
    stage is the last of them, failure what the guest found amiss with itself,
    reboot why a program wants a fresh kernel for the cells to come.  times has
    when each of these lines, and each "verdict PROGRAM.CELL", came in.
    """

    RUN = re.compile(r"#  RUN +(\S+) \.\.\.$")
    VERDICT = re.compile(r"# VERDICT (\S+) (\w+): (.*)$")
    LINE = re.compile(r"(ok|not ok) \d+(?: (?:- )?([^#\s]\S*))?"
                      r"(?:\s+# (SKIP|XFAIL)\b ?(.*))?\s*$")
    REBOOT = re.compile(r"# REBOOT (.*)$")
    PLAN_SKIP = re.compile(r"1\.\.0 # SKIP ?(.*)$")
    OWN_LINE = re.compile(r"@@ (.*?)(?: at ([\d.]+))?$")
    # What the harness prints about an outcome that the result line repeats
    NOISE = re.compile(r"#  +(OK|FAIL|SKIP) |# (PASSED|FAILED|Starting|Totals)|"
                       r"TAP version|1\.\.\d")

    def __init__(self, boot, on_result):
        self.boot = boot
        self.on_result = on_result
        self.stage = "booting"
        self.times = []
        self.started = False
        self.finished = False
        self.failure = None
        self.reboot = None
        self.program = None
        self.current = None
        self.since = 0.0
        self.verdicts = {}
        self.diagnostics = []
        self.skip_all = {}
        self.last = None

    def feed(self, line, now):
        own = self.OWN_LINE.match(line)
        if own:
            self.times.append((own[1], now))
            self._own_line(own[1])
            return
        run = self.RUN.match(line)
        if run:
            self._begin(run[1], now)
            return
        result = self.LINE.match(line)
        if result:
            self._result(result, now)
            return
        self._note(line)

    def _own_line(self, text):
        self.stage = text
        words = text.split()
        if words[0] == "begin":
            self.started = True
            self.program = words[1]
            self.current = None
            self.diagnostics = []
        elif text == "done":
            self.finished = True
        elif words[0] == "failed:":
            self.failure = " ".join(words[1:])

    def _begin(self, name, now):
        self.current = name
        self.since = now
        self.diagnostics = []

    def _note(self, line):
        skip = self.PLAN_SKIP.match(line)
        if skip:
            self.skip_all[self.program] = skip[1] or "no reason given"
        verdict = self.VERDICT.match(line)
        reboot = self.REBOOT.match(line)
        if reboot:
            # A program that can do no more on this wreck; its cells can
            self.reboot = reboot[1]
        elif verdict:
            # The first word on a cell stands, unless another says the same and
            # more: what follows may be its echo
            word = Verdict(verdict[2], verdict[3])
            first = self.verdicts.setdefault(verdict[1], word)
            if word.kind == first.kind and word.sentence.startswith(first.sentence):
                self.verdicts[verdict[1]] = word
        elif line.strip() and not self.NOISE.match(line):
            text = re.sub(r"^# ?", "", line)
            self.diagnostics.append(text.rstrip())

    def _result(self, match, now):
        # An old harness's SKIP line has no name
        outcome, name, directive, reason = match.groups()
        name = name or self.current
        if not name:
            return
        self.current = self.current or name
        if directive:
            self._settle(name, SKIP, "", reason or "no reason given", now)
        elif outcome == "ok":
            self._settle(name, PASS, "", "", now)
        else:
            word = self.verdicts.get(name)
            if not word:
                notes = self.diagnostics
                word = Verdict("failed", notes[-1] if notes else "failed")
            self._settle(name, FAIL, word.kind, word.sentence, now)

    def _settle(self, name, verdict, kind, sentence, now):
        result = Result(self.program, name, verdict, kind, sentence,
                        max(0.0, now - self.since), self.boot,
                        self.diagnostics)
        self.current = None
        self.diagnostics = []
        self.since = now
        self.last = result
        self.times.append((f"verdict {result.full_name}", now))
        self.on_result(result)

    def lost(self, kind, cause, now):
        """The guest or program is gone: the running cell pays, if there is one."""
        if not self.current:
            return
        word = self.verdicts.get(self.current)
        if word:
            # What was said before stands; dying is what came of it
            self._settle(self.current, FAIL, word.kind,
                         f"{word.sentence}; afterwards: {cause}", now)
        else:
            self._settle(self.current, FAIL, kind, cause, now)


def last_words(console):
    """A dying kernel's first complaint and where it was, as a sentence."""
    lines = [STAMP.sub("", line) for line in console.splitlines()]
    for number, line in enumerate(lines):
        trouble = TROUBLE.search(line)
        if trouble:
            text = trouble[1].strip()
            place = function_of(lines[number:])
            return text if not place or place in text else f"{text} in {place}"
    return ""


def panic_of(console):
    """The words of a panic, which is the last of a boot; or ''."""
    at = console.rfind("Kernel panic - not syncing")
    return last_words(console[console.rfind("\n", 0, at) + 1:]) if at >= 0 else ""


def function_of(lines):
    """The kernel function that a report speaks of, or ''."""
    in_trace = False
    for line in lines:
        rip = RIP.search(line)
        if rip:
            return rip[1]
        # A panic() on purpose has no RIP of the kernel, but a trace
        if line.startswith("Call Trace"):
            in_trace = True
        frame = FRAME.match(line)
        if in_trace and frame and frame[1] not in MESSENGERS:
            return frame[1]
    return ""


# -- KTAP files --------------------------------------------------------

def format_ktap(programs, results, notes):
    """The whole run: programs is {name: number of cells}."""
    lines = ["KTAP version 1", f"1..{len(programs)}"]
    lines += [f"# {note}" for note in notes]
    for number, (program, count) in enumerate(programs.items(), 1):
        own = [result for result in results if result.program == program]
        lines += ["  KTAP version 1", f"  # Subtest: {program}",
                  f"  1..{count}"]
        for index, result in enumerate(own, 1):
            lines += ["  " + line for line in format_result(index, result)]
        if len(own) < count:
            lines.append(f"not ok {number} {program} # incomplete: "
                         f"{count - len(own)} cells have no verdict")
        elif any(result.verdict == FAIL for result in own):
            lines.append(f"not ok {number} {program}")
        elif all(result.verdict == SKIP for result in own):
            lines.append(f"ok {number} {program} # SKIP")
        else:
            lines.append(f"ok {number} {program}")
    return "\n".join(lines) + "\n"


def format_result(index, result):
    for line in result.diagnostics:
        yield f"# {line}"
    yield f"# TIME {result.name} {result.seconds:.2f} s, boot {result.boot}"
    if result.verdict == FAIL:
        yield f"# VERDICT {result.name} {result.kind}: {result.sentence}"
        yield f"not ok {index} {result.name}"
    elif result.verdict == SKIP:
        yield f"ok {index} {result.name} # SKIP {result.sentence}"
    else:
        yield f"ok {index} {result.name}"


def parse_ktap(text):
    """The results and the notes of a file that format_ktap() wrote."""
    results = []
    notes = []
    stream = Stream(0, results.append)
    time = re.compile(r"  # TIME \S+ ([\d.]+) s, boot (\d+)$")
    for line in text.splitlines():
        subtest = re.match(r"  # Subtest: (\S+)", line)
        spent = time.match(line)
        if subtest:
            stream = Stream(0, results.append)
            stream.program = subtest[1]
        elif spent:
            stream.boot = int(spent[2])
            stream.since = -float(spent[1])
        elif line.startswith("  "):
            stream.feed(line[2:], 0.0)
        elif line.startswith("# "):
            notes.append(line[2:])
    return results, notes
