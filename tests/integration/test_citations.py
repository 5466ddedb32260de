"""What the code cites is in the repository."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def tracked_texts():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if Path(name).suffix in {".c", ".h", ".py", ".sql", ".md", ".scd", ".sh", ".yaml", ".yml", ""} and (ROOT / name).is_file():
            bytes_of_tests = "samples" in name or name.startswith("tests/fuzz/corpus/")
            if not bytes_of_tests and name != "tests/integration/test_citations.py":
                yield name, (ROOT / name).read_text()


def test_cited_documents_exist():
    missing = {
        (name, cited) for name, text in tracked_texts()
        for cited in re.findall(r"\bdocs/[\w./-]+\.(?:md|scd)\b|\bdesign\.md\b", text) if not (ROOT / cited).exists()
    }
    assert not missing


def test_cited_rules_and_invariants_exist():
    rules = set(re.findall(r"^(\d+)\. ", (ROOT / "docs/rules.md").read_text(), re.M))
    assert rules == {str(number) for number in range(1, 31)}
    invariants = re.search(r"## Invariants\n(.*?)\n## ", (ROOT / "docs/architecture.md").read_text(), re.S).group(1)
    known = set(re.findall(r"^(\d+)\. ", invariants, re.M))
    for name, text in tracked_texts():
        for cited in re.findall(r"\brules(?:\.md)? (\d+)|\bR(\d{1,2})\b(?= |,|\)|:)", text) if name.endswith((".c", ".h")) else []:
            assert set(filter(None, cited)) <= rules, name
        for cited in re.findall(r"\binvariants? (\d+)", text):
            assert cited in known, name
