"""Runs a program in which the k-th allocation fails (tests/shims/alloc.c), and says what became of it."""

import collections
import os
import random
import subprocess
import time
from pathlib import Path

from support.build import build_folder

ALL = os.environ.get("MODELTRAIL_TORTURE_ALL") == "1"
SEED = int(os.environ.get("MODELTRAIL_FAULT_SEED", "20261127"))
SECONDS = 14  # of each test, unless it does all
LEAST = 20  # faults of each, however slow the machine
OUR_WORDS = 'level=error msg="out of memory"'
PLAIN = ("libc.so", "libstdc++", "libgcc", "libasan", "ld-linux")  # who ask for others


def is_sanitized(program) -> bool:
    return b"__asan_init" in Path(program).read_bytes()


class Run:
    """One run: its exit code, its stderr, which object asked for the memory, and how it ended."""

    def __init__(self, argv, folder, k=0, from_on=False, after=0, text=None, timeout=60, env=None, until=None):
        self.k, self.from_on = k, from_on
        report = Path(folder) / "alloc.report"
        report.unlink(missing_ok=True)
        variables = dict(env or os.environ) | {
            "LD_PRELOAD": str(build_folder() / "shims" / "alloc.so"), "MODELTRAIL_ALLOC_FAIL": str(k),
            "MODELTRAIL_ALLOC_FROM": str(int(from_on)), "MODELTRAIL_ALLOC_AFTER": str(after),
            "MODELTRAIL_ALLOC_REPORT": str(report)}
        if is_sanitized(argv[0]):
            variables["ASAN_OPTIONS"] = ("abort_on_error=1:detect_leaks=0:verify_asan_link_order=0"
                                         ":allocator_may_return_null=1")
        out, err = Path(folder) / "run.out", Path(folder) / "run.err"
        with open(out, "wb") as to_out, open(err, "wb") as to_err:
            child = subprocess.Popen([str(word) for word in argv], env=variables, stdin=subprocess.PIPE,
                                     stdout=to_out, stderr=to_err)
        late = False
        try:
            # A program that does not end by itself is asked to, once it has done its work.
            if until:
                self._wait(child, lambda: until(out.read_text()), timeout)
                child.terminate()
            child.communicate(text, timeout)
        except subprocess.TimeoutExpired:
            late = True
            child.kill()
            child.wait()
        self.code, self.out, self.err = child.returncode, out.read_text(), err.read_text(errors="replace")
        assert not late, f"{self}: not done after {timeout} s\n{self.err[-3000:]}"
        lines = [line.split() for line in report.read_text().splitlines()] if report.exists() else []
        self.failures = [line[2].split("<") for line in lines if line[0] == "failed"]
        self.count = next((int(line[1]) for line in lines if line[0] == "count"), None)

    @staticmethod
    def _wait(child, is_done, timeout):
        deadline = time.monotonic() + timeout
        while child.poll() is None and not is_done():
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(child.args, timeout)
            time.sleep(0.02)

    def whose(self, failure):
        """The library that was at work when the memory was short: ZeroMQ above all, whatever it called."""
        stack = self.failures[failure]
        if len(stack) > 1 and stack[0].startswith("libc.so") and not stack[1].startswith("lib"):
            return stack[0]  # with the function that we called
        names = [name.split(":")[0] for name in stack if not name.startswith(PLAIN)]
        return next((name for name in names if name.startswith("libzmq")), names[0] if names else stack[0])

    def __str__(self):
        return f"allocation {self.k}{' and on' if self.from_on else ''}"

    def outcome(self) -> str:
        """How it ended, in words; anything but a clean end, or libzmq's own, is an AssertionError."""
        trouble = f"{self} ({self.failures[-3:]}): exit {self.code}\n{self.err[-3000:]}"
        if not self.failures:
            assert self.code == 0, trouble
            return "not reached"
        # A death is accepted only where the library at work is known for it.
        if self.code == -6 and "AddressSanitizer: CHECK failed" in self.err:
            return "died in the sanitizer"  # which asks for memory too, when a thread starts
        # libzmq has no other answer to a short memory than to abort, and the C library's name service, which it
        # asks when it starts, crashes. Its thread may die while ours is refused something else.
        if self.code in (-6, -11) and any(self.whose(i).startswith("libzmq") for i in range(len(self.failures))):
            return "died in libzmq"
        if self.code == -6 and self.whose(-1).startswith("libc.so.6:glob"):
            return "died in glob"  # the C library's frees its list twice
        assert "ERROR: AddressSanitizer" not in self.err and "runtime error" not in self.err, trouble
        if self.code == 0:
            return "went on"
        assert self.code == 1, trouble
        # Whoever was told no more than that a library had no memory says so in its own words.
        return "out of memory" if OUR_WORDS in self.err else "failed with a message"


class Torture:
    """Chooses which allocations fail, and counts how it ended by whose allocation it was."""

    def __init__(self, name, count):
        self.name, self.count = name, count
        self.tally = collections.Counter()
        self.ends = time.monotonic() + SECONDS

    def choices(self):
        """(k, from_on) of every allocation in both ways, in a random order, or as many as fit into the time."""
        both = [(k, from_on) for k in range(1, self.count + 1) for from_on in (False, True)]
        random.Random(SEED).shuffle(both)
        for choice in both:
            if not ALL and time.monotonic() > self.ends and self.tally.total() >= LEAST:
                return
            yield choice

    def note(self, run):
        outcome = run.outcome()
        self.tally[run.whose(0) if run.failures else "-", "from k on" if run.from_on else "one", outcome] += 1
        if ALL and self.tally.total() % 500 == 0:
            self.report()  # of hours
        return outcome

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        """Prints what was done, of a run that was interrupted too."""
        done = self.report()
        assert failed or done >= min(LEAST, 2 * self.count), f"{self.name}: {done} faults are too few to say anything"

    def report(self):
        done = self.tally.total()
        print(f"\n{self.name}: {done} of {2 * self.count} faults, seed {SEED}")
        for (where, how, outcome), times in sorted(self.tally.items()):
            print(f"  {where:32} {how:10} {outcome:22} {times:6}", flush=True)
        return done
