"""What `make flaky` takes for a failure of a run."""

from tests.house.beside_load import bad_lines

OUTPUT = """\
.F..                                                                     [100%]
/x/control.py:958: CoverageWarning: No data was collected. (no-data-collected)
  self._warn("No data was collected.", slug="no-data-collected")
SKIPPED [1] tests/cli/test_cli.py:94: curl is not installed
FAILED tests/cli/test_cli.py::test_version - AssertionError: assert 1 == 2
ERROR tests/api/test_runs.py::test_run[a b] - OSError: [Errno 98]
1 failed, 1 error
"""


def test_failed_tests_and_warnings_of_coverage_are_bad_and_nothing_else_is() -> None:
    assert bad_lines(OUTPUT) == [
        "/x/control.py:958: CoverageWarning: No data was collected. (no-data-collected)",
        "FAILED tests/cli/test_cli.py::test_version",
        "ERROR tests/api/test_runs.py::test_run[a",
    ]


def test_sound_run_has_nothing_bad() -> None:
    assert bad_lines("....\n4 passed in 1.0s\n") == []
