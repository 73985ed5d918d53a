"""Each bug that lost data elsewhere, and that has a test here, is named by that test for good."""

import re

import pytest

from tests.tidy.source import ROOT

LESSONS = (
    "HDFS-1972", "HDFS-2742", "HDFS-5438", "HDFS-4799", "HDFS-3493", "HDFS-15200", "HDFS-16064",
    "HDFS-8486", "HDFS-7065", "HDFS-4660", "HDFS-5042", "HDFS-11915", "HDFS-10301", "HDFS-7960",
    "HDFS-12914", "HDFS-9107", "HADOOP-641", "HDFS-6841", "HDFS-12070", "HDFS-10240", "HDFS-6527",
    "HDFS-6825", "HDFS-14941", "HDFS-3875", "HDFS-14706", "HDFS-16146", "HDFS-17342",
    "HDFS-11160", "HDFS-16922", "MinIO #14053", "Swift 92aef484b", "Swift 8d8820953",
    "SeaweedFS #1440", "SeaweedFS e0c4732e5", "SeaweedFS #6857", "SeaweedFS #8022",
    "HDFS-6453", "HDFS-12526", "HDFS-7707", "HDFS-7587", "HDFS-1595", "HDFS-16968", "HDFS-16985",
    "LP#1897177", "LP#1936508", "SeaweedFS #1015", "SeaweedFS #9944", "SeaweedFS #10805",
    "SeaweedFS #10295", "SeaweedFS #87", "SeaweedFS #6043",
)  # fmt: skip


def plain(text: str) -> str:
    """The same for a docstring and for the name of a function."""
    return re.sub("[ _#-]+", " ", text.lower())


@pytest.fixture(scope="module")
def tests() -> str:
    """The text of all tests but this one."""
    paths = sorted((ROOT / "tests").rglob("*.py"))
    return plain("".join(path.read_text() for path in paths if path.name != "test_lessons.py"))


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_is_named_by_a_test(lesson: str, tests: str) -> None:
    assert re.search(plain(lesson) + r"\b", tests), lesson
