"""Two pages for who decides, as a PDF: the first screen, the picture, what to do first, the caveats, the methods.

They are the page's own words under its print style. A headless Chromium prints them, by playwright (extra `pdf`):
libraries that need no browser would draw the same table by other rules, or need libraries of the system.
"""

import shutil
from pathlib import Path

from nasaudit.errors import InputError
from nasaudit.report import format
from nasaudit.report.evidence import Evidence
from nasaudit.report.page import as_picture, environment, shared
from nasaudit.report.sections import origin, summary, threats
from nasaudit.report.sections.comparison import findings
from nasaudit.report.sections.families.all import FAMILIES
from nasaudit.results.schema import StudyResults
from nasaudit.spec.attacks import attack_title
from nasaudit.store.files import write_atomically

# What fits on the second page beside the methods, whatever a study has to say.
ADVICE, NOTICES, VERDICTS, LONGEST = 3, 9, 5, 200
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
NEEDED = (
    "--brief needs playwright and a Chromium: pip install 'nasaudit[pdf]', then `playwright install chromium` "
    "unless the system has one"
)


def write_brief(results: StudyResults, folder: Path, path: Path) -> Path:
    """Write the two pages as a PDF of A4.

    Args:
        results: what the study found.
        folder: the study's folder.
        path: of the PDF.

    Returns:
        The path.

    Raises:
        InputError: playwright or a Chromium is missing.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise InputError(NEEDED) from error

    page = render_brief(Evidence(results, folder))
    own = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=own)
            # The words of strangers are on it: no script runs, and nothing is asked of the network.
            sheet = browser.new_context(java_script_enabled=False, offline=True).new_page()
            sheet.set_content(page)
            margins = {"top": "12mm", "bottom": "12mm", "left": "14mm", "right": "14mm"}
            content = sheet.pdf(format="A4", print_background=True, margin=margins)  # type: ignore[arg-type,unused-ignore]
            browser.close()
    except Error as error:
        raise InputError(f"{NEEDED} ({str(error).splitlines()[0]})") from error
    write_atomically(path, content)
    return path


def render_brief(evidence: Evidence) -> str:
    """The two pages as HTML without scripts."""
    figure = threats.figure(evidence)
    lines = threats.lines(evidence)
    serious = [line for line in lines if line.level in ("severe", "raised")]
    # One of each kind, so that none of a threat's own is missing for the sake of another's second.
    kinds = {flag.kind: flag for flag in reversed(evidence.results.flags)}
    first = [flag for flag in evidence.results.flags if kinds[flag.kind] is flag]
    results = evidence.results.model_copy(update={"flags": first})
    notices = [notice.message for notice in summary.notices(Evidence(results, evidence.folder))]
    decided = [found.title for family in FAMILIES for found in findings(evidence, family) if found.decided]
    return (
        environment()
        .get_template("brief.html.j2")
        .render(
            **shared(evidence),
            origin=origin.facts(evidence),
            lines=lines,
            heads=threats.heads(evidence),
            picture=None if figure is None else as_picture(evidence, figure),
            verdicts=decided[:VERDICTS],
            advice=[(line.name, line.level, line.advice) for line in serious[:ADVICE]],
            notices=[_shortened(notice) for notice in notices[:NOTICES]],
            left=len(evidence.results.flags) - min(len(first), NOTICES),
            methods=methods(evidence),
        )
    )


def methods(evidence: Evidence) -> tuple[str, str, str]:
    """How it was measured, in three sentences."""
    study = evidence.results.study
    subjects, seeds = evidence.subjects, len(study.seeds)
    who = subjects[0].title if len(subjects) == 1 else f"{len(subjects)} architectures"
    given = set(evidence.results.provenance.given) >= {subject.name for subject in subjects}
    trained = (
        "taken with the weights that were given"
        if given
        else (f"trained on {study.data.label} with {'one seed' if seeds == 1 else f'{seeds} seeds'} each")
    )
    attacks = format.listing(list(dict.fromkeys(attack_title(attack.name) for attack in study.attacks)))
    return (
        f"{who} {'was' if len(subjects) == 1 else 'were'} {trained} at the scale {study.scale}, and attacked on the "
        f"same images{f' by {attacks}' if attacks else ''}.",
        f"Figures stand over {format.INTERVAL}s and the n that they rest on; a level follows limits that are the "
        "same for every study, and is low only where the whole interval is.",
        "It says how far these attacks got: who tries harder gets farther, and a threat that was not tested is not "
        "known to be small.",
    )


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
