"""Audit two architectures from Python and print what an attacker gets: `python examples/audit.py`."""

import nasaudit
from nasaudit.spec.units import format_epsilon


def main() -> None:
    audit = nasaudit.audit("darts", "resnet", data="digits", seeds=1, out="audits/example")
    for row in audit.results.select(metric="median_minimal_epsilon", seed="all", images="correct"):
        bound = "more than " if row.setting.get("bound") == "lower" else ""
        print(
            f"{row.architecture} ({row.setting['goal']}): half of the images fall at "
            f"{bound}{format_epsilon(row.value)} [{format_epsilon(row.low)}, {format_epsilon(row.high)}], n = {row.n}"
        )
    print(f"report: {audit.report}")


if __name__ == "__main__":
    main()
