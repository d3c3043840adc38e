"""The program that draws a study's report as it stands: `python -m nasaudit.serving.drawing FOLDER`.

A process of its own, of low priority: the run that fills the folder goes on undisturbed, and the page is written to
standard output, since a folder that is looked at may not be written to.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from nasaudit.errors import NasauditError
from nasaudit.report.evidence import Evidence
from nasaudit.report.page import render
from nasaudit.results.folder import StudyFolder
from nasaudit.results.opened import StudyOnDisk
from nasaudit.running.partial import results_and_status

PRIORITY = 10  # as `nice` counts


def draw(folder: Path) -> tuple[str, int, int]:
    """The report of the records that there are: a page of HTML, how many tasks have ended, and how many are known.

    Raises:
        StoreError: the folder holds no study, or it is damaged.
        InputError: the study cannot be planned (its data is gone, say), and there are no results either.
    """
    with TemporaryDirectory(prefix="nasaudit-") as place:
        examples, known, ended = Path(place), 0, 0
        try:
            study = StudyOnDisk.of(folder)
            results, status = results_and_status(
                study.planned, StudyFolder(examples), study.store, study.downloads, "this page follows it"
            )
            ended, known = status.count("done") + status.count("failed"), len(status.tasks)
        except NasauditError:
            results, examples = StudyFolder(folder).results(), folder  # of a study whose data is gone
        return render(Evidence(results, examples)), ended, known


def main(folder: Path) -> int:
    """Write both counts and the page to standard output; says what is wrong on standard error.

    Returns:
        The exit code.
    """
    os.nice(PRIORITY)
    try:
        page, ended, known = draw(folder)
    except NasauditError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.buffer.write(f"{ended} {known}\n{page}".encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
