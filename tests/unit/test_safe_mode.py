"""Safe mode: on until the namespace is loaded and reports are in, manual until told otherwise."""

from data_service.namenode.replicas.safe_mode import SafeMode


def safe_mode(threshold: float = 0.999, extension: float = 30.0, loaded: bool = True) -> SafeMode:
    """One at the start of a namenode."""
    mode = SafeMode(threshold, extension)
    if loaded:
        mode.loaded()
    return mode


def test_it_ends_after_threshold_and_extension() -> None:
    mode = safe_mode(threshold=0.5)
    assert not mode.update(4, 1, 0.0) and mode.on
    assert not mode.update(4, 2, 1.0) and mode.on
    assert not mode.update(4, 3, 30.9) and mode.on
    assert mode.update(4, 3, 31.0) and not mode.on
    assert repr(mode) == "<SafeMode off, 3 of 4 blocks reported>"


def test_a_threshold_lost_during_the_extension_starts_it_again() -> None:
    mode = safe_mode(threshold=1.0)
    assert not mode.update(2, 2, 0.0)
    assert not mode.update(2, 1, 10.0)
    assert not mode.update(2, 2, 20.0)
    assert not mode.update(2, 2, 49.0)
    assert mode.update(2, 2, 50.0)


def test_no_number_means_anything_before_the_namespace_is_loaded_minio_14053() -> None:
    mode = safe_mode(loaded=False)
    assert not mode.update(0, 0, 100.0) and mode.on
    assert mode.reason(100.0) == "The namespace is being loaded."
    mode.loaded()
    assert mode.update(0, 0, 101.0)


def test_an_empty_namespace_waits_for_nobody() -> None:
    assert safe_mode(extension=3600.0).update(0, 0, 0.0)


def test_few_blocks_must_all_be_reported() -> None:
    mode = safe_mode(extension=0.0)
    assert not mode.update(8, 7, 0.0)
    assert mode.update(1000, 999, 0.0), "one of a thousand may be missing"


def test_it_does_not_come_back_by_itself() -> None:
    mode = safe_mode(extension=0.0)
    assert mode.update(1, 1, 0.0)
    assert not mode.update(1, 0, 1.0) and not mode.on


def test_manual_stays_until_leave() -> None:
    mode = safe_mode(extension=0.0)
    mode.enter()
    assert not mode.update(1, 1, 0.0) and mode.on and "turned on manually" in mode.reason(0.0)
    mode.leave(1.0)
    assert not mode.on and mode.reason(0.0) == ""


def test_leave_ends_the_start_too() -> None:
    mode = safe_mode()
    mode.leave(1.0)
    assert not mode.on


def test_a_sleep_of_the_namenode_is_not_extension_hdfs_9107() -> None:
    mode = safe_mode()
    assert not mode.update(1, 1, 0.0)
    mode.shift(600.0, 600.0)
    assert not mode.update(1, 1, 601.0)
    assert mode.update(1, 1, 630.0)


def test_reasons_are_hdfs_sentences() -> None:
    mode = safe_mode()
    mode.update(8, 5, 0.0)
    assert mode.reason(0.0) == (
        "The reported blocks 5 needs additional 3 blocks to reach the threshold 0.9990 of total "
        "blocks 8. The minimum number of live datanodes is not required. Safe mode will be turned "
        "off automatically once the thresholds have been reached.")
    mode.update(8, 8, 10.0)
    assert mode.reason(12.5) == (
        "The reported blocks 8 has reached the threshold 0.9990 of total blocks 8. The minimum "
        "number of live datanodes is not required. In safe mode extension. Safe mode will be "
        "turned off automatically in 28 seconds.")


def test_who_leads_again_does_not_wait_again_for_what_is_reported() -> None:
    mode = SafeMode(0.999, 30.0)
    mode.loaded()
    assert not mode.update(10, 10, 0.0) and mode.update(10, 10, 30.0)
    mode.stand_by()
    assert mode.on and not mode.update(10, 10, 31.0)
    mode.lead()
    assert mode.update(10, 10, 32.0) and not mode.on
    mode.stand_by()
    mode.update(10, 5, 35.0)
    mode.lead()
    assert not mode.update(10, 10, 36.0) and mode.on, "what was lost meanwhile must come back"


def test_what_is_just_being_written_keeps_nobody_who_stands_by_from_leading() -> None:
    """Under load one of a few blocks always was on its way, and each takeover led to safe mode."""
    mode = SafeMode(0.999, 1.0)
    mode.stand_by()
    mode.loaded()
    assert not mode.update(10, 9, 0.0) and mode.would_last(9.0), "these were there before"
    for moment in range(10, 20):
        mode.update(10, 10, moment)
        mode.update(10, 9, moment + 0.5)
    assert not mode.would_last(19.5)
    mode.lead()
    assert not mode.update(10, 9, 19.6) and mode.update(10, 10, 19.7), "it has waited before"
    mode.stand_by()
    mode.update(10, 9, 21.8)
    assert mode.would_last(30.0), "one of them does not come"


def test_who_stands_by_tells_whether_it_could_change_anything_at_once() -> None:
    """One that was told to lead before the reports were in refused what clients wanted."""
    mode = SafeMode(0.999, 30.0)
    mode.stand_by()
    assert not mode.would_last(0.0), "there is nothing to wait for"
    mode.loaded()
    mode.update(10, 9, 0.0)
    assert mode.would_last(100.0)
    mode.update(10, 10, 100.0)
    assert mode.would_last(129.0) and not mode.would_last(130.0)
    mode.lead()
    assert mode.update(10, 10, 130.0)
    mode.stand_by()
    assert not mode.would_last(130.0), "it has waited once"
