"""Git repositories that tests make: commits by whoever, with whatever in them."""

import os
import subprocess
from pathlib import Path

NOBODY = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
          "GIT_TERMINAL_PROMPT": "0", "TZ": "UTC", "LC_ALL": "C"}


def manifest(name: str, uri: str, namespace: str | None = "risk-prod", kind: str = "SeldonDeployment") -> str:
    """One document with one object."""
    version = "machinelearning.seldon.io/v1" if kind == "SeldonDeployment" else "v1"
    where = f"  namespace: {namespace}\n" if namespace else ""
    return (f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}\n{where}"
            f"spec:\n  predictors:\n  - name: main\n    graph:\n      name: c\n      modelUri: {uri}\n")


class Repository:
    """A working repository with branch main; times of commits go up by a minute."""

    def __init__(self, folder: Path, author="Alice Example <alice@example.com>"):
        self.folder = Path(folder)
        self.author = author
        self.minute = 0
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run("init", "-q", "-b", "main")

    def run(self, *words, data: bytes | None = None, env=None, check=True) -> bytes:
        done = subprocess.run(["git", "-C", str(self.folder), *words], input=data, capture_output=True,
                              env=dict(os.environ) | NOBODY | self._times() | (env or {}))
        assert not check or done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    def _times(self) -> dict:
        at = f"{1767225600 + 60 * self.minute} +0000"  # 2026-01-01T00:00:00Z
        name, _, email = self.author.partition(" <")
        email = email.rstrip(">")
        return {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at, "GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": email,
                "GIT_COMMITTER_NAME": name, "GIT_COMMITTER_EMAIL": email}

    def write(self, path, text: str | bytes):
        file = self.folder / path if isinstance(path, str) else Path(os.fsdecode(os.fsencode(self.folder) + b"/" + path))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def commit(self, message: str = "a change", files: dict | None = None, remove=(), author=None, sign=()) -> str:
        """Writes and removes files, and commits all; gives the commit's name."""
        for path, text in (files or {}).items():
            self.write(path, text)
        for path in remove:
            (self.folder / path).unlink()
        self.minute += 1
        before, self.author = self.author, author or self.author
        self.run("add", "-A")
        self.run(*sign, "commit", "-q", "--allow-empty", "-F", "-", *(["-S"] if sign else []), data=message.encode())
        self.author = before
        return self.head()

    def head(self, ref="HEAD") -> str:
        return self.run("rev-parse", ref).decode().strip()

    def merge(self, branch: str, message="merge") -> str:
        self.minute += 1
        self.run("merge", "-q", "--no-ff", "-m", message, branch)
        return self.head()
