"""A wall clock of a test's own for chosen programs (tests/shims/clock.c)."""

import os
import shutil
import struct
import time
from pathlib import Path

from .build import build_folder

YEAR = 365 * 86400


class Clock:
    """Programs that are started with `environment()` have this clock; it moves while they run."""

    def __init__(self, folder: Path):
        self._file, self._shim = Path(folder) / "clock", Path(folder) / "clock.so"
        # Copied, so that another account than ours may load it.
        shutil.copy(build_folder() / "shims" / "clock.so", self._shim)
        self._shim.chmod(0o755)
        self._file.write_bytes(bytes(4096))
        self._file.chmod(0o644)

    def environment(self) -> dict:
        options = os.environ.get("ASAN_OPTIONS", "")
        return {"LD_PRELOAD": str(self._shim), "CLOCK_SHIM": str(self._file),
                "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0".lstrip(":")}

    def _write(self, offset, rate):
        drift = time.clock_gettime(time.CLOCK_MONOTONIC) * rate
        with open(self._file, "r+b") as out:
            out.write(struct.pack("=qq", round((offset - drift) * 1e6), round(rate * 1e6)))

    def set(self, offset: float):
        """So many seconds ahead of the true time, from now on."""
        self._write(offset, 0)

    def run_at(self, speed: float):
        """From here on the clock makes `speed` seconds each second: 0 stands still, -1 goes back."""
        self._write(self.ahead(), speed - 1)

    def ahead(self) -> float:
        """Seconds ahead of the true time now."""
        moved = struct.unpack("=qq", self._file.read_bytes()[:16])
        return moved[0] / 1e6 + time.clock_gettime(time.CLOCK_MONOTONIC) * moved[1] / 1e6
