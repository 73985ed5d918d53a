"""Each bug that lost data elsewhere, and that has a test here, is named by that test for good.

So is each defect of PyHDFS, which this file system succeeds.
"""

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

ORIGIN = (
    ("what clients send is unpickled", "tidy/test_gates.py::test_nobody_imports_what_is_banned"),
    ("machines compare the times of their clocks",
     "tidy/test_gates.py::test_no_decision_rests_on_the_wall_clock"),
    ("who beats every 5 s expires after 5 s",
     "unit/test_config_file.py::test_a_mistake_is_told_with_its_line"),
    ("the first error ends the heartbeat",
     "unit/test_duties.py::test_no_error_ends_the_heartbeat"),
    ("who expired cannot register again",
     "unit/test_duties.py::test_a_session_that_expired_is_opened_again"),
    ("what a client sends becomes part of a file's path",
     "unit/test_datanode_service.py::test_bad_arguments_are_refused"),
    ("a block is written in place, and not synced",
     "faults/test_block_store_power_loss.py::test_the_order_is_data_checksums_name_directory"),
    ("a block has no checksums",
     "unit/test_block_store.py::test_damage_is_told_once_and_never_served"),
    ("a datanode holds whole blocks in memory; replicas are sent by threads that nobody waits for",
     "unit/test_pipeline.py::test_every_packet_is_passed_on_and_the_answer_names_all"),
    ("a failure is a text among the results",
     "unit/test_rpc.py::test_errors_arrive_as_the_class_that_was_raised"),
    ("a file is recorded before its data is there",
     "unit/test_writing.py::test_a_file_is_seen_when_it_is_complete_and_not_before"),
    ("all blocks but the first are read from the same place; an empty file is an error",
     "unit/test_file_system.py::test_sizes_around_the_borders"),
    ("one datanode is chosen twice",
     "unit/test_placement.py::test_targets_are_distinct_tahoe_happiness"),
    ("each call opens a connection, and leaves it open",
     "unit/test_pools.py::test_a_pool_keeps_and_reuses_connections"),
    ("anybody may stop a datanode",
     "unit/test_datanode_service.py::test_there_is_no_way_to_delete"),
    ("the client's own disk is asked whether a file exists",
     "unit/test_file_system.py::test_existing_files"),
    ("what is read must be UTF-8",
     "cluster/test_shell.py::test_odd_names_and_binary_contents_come_back"),
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


@pytest.mark.parametrize("defect, test", ORIGIN)
def test_a_defect_of_the_origin_is_held_off_by_a_test(defect: str, test: str) -> None:
    path, name = test.split("::")
    assert f"def {name}(" in (ROOT / "tests" / path).read_text(), f"nobody tests: {defect}"
