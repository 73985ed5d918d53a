"""What a namenode does by itself while it leads."""

from data_service.namenode.chores import Reminder


def test_what_lasts_is_told_of_now_and_again() -> None:
    reminder = Reminder(10.0, 60.0)
    assert [now for now in range(200) if reminder.is_due(True, now)] == [10, 70, 130, 190]
    assert not reminder.is_due(False, 200)
    assert [now for now in range(201, 300) if reminder.is_due(True, now)] == [211, 271]
