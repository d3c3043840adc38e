"""nasaudit: how vulnerable is an architecture that AutoML designed, why, and what to change.

>>> import nasaudit
>>> nasaudit.__version__
'0.1.0'
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nasaudit.api import (
        Audit,
        analyze,
        audit,
        compare,
        gate,
        load_architecture,
        load_audit,
        mitigate,
        run_study,
    )
    from nasaudit.errors import NasauditError
    from nasaudit.running.options import RunOptions
    from nasaudit.spec.genotype import Genotype
    from nasaudit.spec.model import Moments
    from nasaudit.spec.remedies.mitigation import MitigationSpec
    from nasaudit.spec.study import StudySpec

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "Genotype",
    "MitigationSpec",
    "Moments",
    "NasauditError",
    "RunOptions",
    "StudySpec",
    "__version__",
    "analyze",
    "audit",
    "compare",
    "gate",
    "load_architecture",
    "load_audit",
    "mitigate",
    "run_study",
]

# Where each public name lives. They are imported at first use: `import nasaudit` must stay instant.
_HOMES = {
    "Audit": "nasaudit.api",
    "Genotype": "nasaudit.spec.genotype",
    "MitigationSpec": "nasaudit.spec.remedies.mitigation",
    "Moments": "nasaudit.spec.model",
    "NasauditError": "nasaudit.errors",
    "RunOptions": "nasaudit.running.options",
    "StudySpec": "nasaudit.spec.study",
    "analyze": "nasaudit.api",
    "audit": "nasaudit.api",
    "compare": "nasaudit.api",
    "gate": "nasaudit.api",
    "load_architecture": "nasaudit.api",
    "load_audit": "nasaudit.api",
    "mitigate": "nasaudit.api",
    "run_study": "nasaudit.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nasaudit' has no attribute {name!r}")
    from pkgutil import resolve_name

    return resolve_name(f"{_HOMES[name]}:{name}")


def __dir__() -> list[str]:
    return __all__
