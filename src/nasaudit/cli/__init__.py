"""The command line: thin. Each command turns words into a spec, calls the API and prints what came.

Exit codes: 0 all done; 1 some tasks failed (the report is written and says which), or a gate's rule is broken; 2 the
input must be changed; 3 the machine or the folder cannot be used as asked; 130 interrupted (129 by
SIGHUP, 143 by SIGTERM; the next run resumes).
"""

import contextlib
import errno
import logging
import signal
import sys
from typing import Annotated

import typer

from nasaudit import __version__
from nasaudit.cli import reads, runs, searches, stores
from nasaudit.cli.options import complain
from nasaudit.errors import InputError, NasauditError, StoreError
from nasaudit.terminal.plain import PlainFormatter

app = typer.Typer(
    name="nasaudit",
    help="Measure how vulnerable an architecture is, explain why, and show what to change.",
    epilog="Exit codes: 0 done; 1 some tasks failed, or a rule is broken; 2 bad input; 3 unusable machine or folder; "
    "130 interrupted.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
study_app = typer.Typer(
    name="study", help="Run a study from a YAML file, or look at one.", no_args_is_help=True
)
app.add_typer(study_app)
store_app = typer.Typer(name="store", help="Look after the records of studies.", no_args_is_help=True)
app.add_typer(store_app)
INTERRUPTED = 130
# What a batch system and a closed terminal send: the workers are ended, and folders tidied up, as for Ctrl-C.
ASKED_TO_END = (signal.SIGTERM, signal.SIGHUP)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    """Options that come before a command."""


app.command()(runs.audit)
app.command()(searches.search)
app.command()(runs.mitigate)
app.command()(runs.analyze)
study_app.command("run")(runs.run_study)
study_app.command("plan")(runs.plan_study)
study_app.command("status")(reads.study_status)
study_app.command("schema")(reads.study_schema)
store_app.command("verify")(stores.verify)
store_app.command("gc")(stores.collect_garbage)
store_app.command("export")(stores.export)
store_app.command("import")(stores.take_in)
app.command()(reads.serve)
app.command()(reads.report)
app.command()(reads.export)
app.command()(reads.gate)
app.command()(reads.compare)
app.command("list")(reads.list_names)
app.command()(reads.show)


def main() -> None:
    """Entry point: errors that a user can act on are one line on stderr and an exit code, never a traceback."""
    if logging.lastResort is not None:  # what shows warnings where nobody asked for a log
        logging.lastResort.setFormatter(PlainFormatter())
    ended_by = [signal.SIGINT]

    def interrupt(number: int, frame: object) -> None:
        ended_by[0] = signal.Signals(number)
        raise KeyboardInterrupt

    for number in ASKED_TO_END:
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` ignores one
            signal.signal(number, interrupt)
    try:
        # Without its standalone mode Typer returns the code of an Exit, and 130 for Ctrl-C.
        code = app(standalone_mode=False) or 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except NasauditError as error:
        complain(str(error))
        code = error.exit_code
    except OSError as error:
        if error.errno == errno.EPIPE:  # `nasaudit list ... | head`
            sys.exit(0)
        complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        code = StoreError.exit_code
    except Exception as error:
        # Typer's own usage errors know how to show themselves.
        show_usage = getattr(error, "show", None)
        if show_usage is None:
            raise
        show_usage()
        code = InputError.exit_code
    if code == INTERRUPTED:
        code = 128 + ended_by[0]
        with contextlib.suppress(OSError):  # of a terminal that is gone
            complain("interrupted; run the same command again to resume")
    sys.exit(code)
